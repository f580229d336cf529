#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>

namespace platform::service {

// Calls GET /readyz of a service on this machine that listens on `address`. Blocks for `timeout` at
// most. The error is the reason why the service is not ready.
std::expected<void, std::string> AskReadiness(
    const std::string& address, std::uint16_t port,
    std::chrono::milliseconds timeout = std::chrono::seconds(5));

}  // namespace platform::service
