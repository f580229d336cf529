#pragma once

#include "services/customers/src/config.h"

namespace customers {

// Builds the whole service from its configuration and serves until a signal stops it. Throws
// std::runtime_error if it cannot listen.
void Serve(const Config& config);

}  // namespace customers
