#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "platform/grpc/tls.h"
#include "services/cart/src/clients/token_validator.h"

namespace cart {

struct UserAuthClientOptions {
  std::string host;  // A name or an IP address, for which customers' certificate must be valid.
  std::uint16_t port = 50051;
  platform::grpc::TlsFiles tls;
  // From the question to its answer, connecting and a repeated attempt included.
  std::chrono::milliseconds timeout{2000};
};

// A validator that makes one UserAuth.ValidateToken call for each token, over a connection of its
// own. A call whose connection breaks is made once more within the timeout.
std::unique_ptr<TokenValidator> MakeUserAuthClient(const UserAuthClientOptions& options);

}  // namespace cart
