#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "platform/config/secret.h"

namespace platform::postgres {

// The address of a PostgreSQL server.
struct Server {
  std::string host = "localhost";  // A host name, an address, or a directory with a Unix socket.
  std::uint16_t port = 5432;
};

// The address of a service's database and the login, from the POSTGRES_* variables.
struct Settings {
  // At least one. Several hold the same database; only the one that accepts writes is used.
  std::vector<Server> servers = std::vector<Server>(1);
  std::string database;
  std::string user;
  Secret password;
  std::string sslmode = "prefer";  // A value of libpq's sslmode.
};

}  // namespace platform::postgres
