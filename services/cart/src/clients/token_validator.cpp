#include "services/cart/src/clients/token_validator.h"

#include <algorithm>

namespace cart {
namespace {

constexpr std::size_t kMaxAuthorizationBytes = std::size_t{64} << 10;

}  // namespace

bool MayBeAuthorization(std::string_view authorization) {
  return !authorization.empty() && authorization.size() <= kMaxAuthorizationBytes &&
         std::ranges::all_of(authorization,
                             [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace cart
