#pragma once

#include <cstdint>
#include <string>

#include "platform/config/secret.h"

namespace platform::postgres {

// Where a service's database is and how to log in; from the POSTGRES_* variables.
struct Settings {
  std::string host = "localhost";  // A host name, an address, or a directory with a Unix socket.
  std::uint16_t port = 5432;
  std::string database;
  std::string user;
  Secret password;
  std::string sslmode = "prefer";  // As libpq's sslmode takes it.
};

}  // namespace platform::postgres
