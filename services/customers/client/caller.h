#pragma once

#include <cstdint>
#include <string>

namespace customers::client {

// The user that a request's token belongs to, as the customers service knows them now.
struct Caller {
  std::int32_t id = 0;
  std::string email;
  bool is_admin = false;

  bool operator==(const Caller&) const = default;
};

}  // namespace customers::client
