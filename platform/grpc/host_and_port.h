#pragma once

#include <cstdint>
#include <string>

namespace platform::grpc {

struct HostAndPort {
  std::string host;  // A name or an IP address.
  std::uint16_t port = 0;

  bool operator==(const HostAndPort&) const = default;
};

}  // namespace platform::grpc
