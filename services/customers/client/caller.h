#pragma once

#include <cstdint>
#include <string>

namespace customers::client {

// Who makes a request, as customers told of the token.
struct Caller {
  std::int32_t id = 0;
  std::string email;
  bool is_admin = false;

  bool operator==(const Caller&) const = default;
};

}  // namespace customers::client
