#pragma once

#include "services/cart/src/config.h"

namespace cart {

// Builds the whole service from its configuration and serves until a signal asks to stop. Throws
// std::runtime_error where it cannot listen.
void Serve(const Config& config);

}  // namespace cart
