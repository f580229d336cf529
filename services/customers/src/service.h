#pragma once

#include "services/customers/src/config.h"

namespace customers {

// Builds the whole service from its configuration and serves until a signal asks to stop. Throws
// std::runtime_error where it cannot listen.
void Serve(const Config& config);

}  // namespace customers
