#pragma once

#include <cstdint>
#include <string>

#include "platform/config/secret.h"

namespace platform::postgres {

// The address of a service's database and the login, from the POSTGRES_* variables.
struct Settings {
  std::string host = "localhost";  // A host name, an address, or a directory with a Unix socket.
  std::uint16_t port = 5432;
  std::string database;
  std::string user;
  Secret password;
  std::string sslmode = "prefer";  // A value of libpq's sslmode.
};

}  // namespace platform::postgres
