#pragma once

#include <cstdint>
#include <string>

namespace customers {

// The user of a token, as stored now and not as the token claims.
struct Identity {
  std::int32_t id = 0;
  std::string email;
  bool is_admin = false;

  bool operator==(const Identity&) const = default;
};

}  // namespace customers
