#pragma once

#include "services/cart/src/config.h"

namespace cart {

// Builds the whole service from its configuration and serves until a signal asks to stop. The
// process's exit code; what could not be started is told on stderr.
int Serve(const Config& config);

}  // namespace cart
