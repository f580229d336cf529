#pragma once

namespace platform::security {

// Initializes libsodium, which is required before any other use of it. Cheap after the first call.
// Throws std::runtime_error if it fails.
void InitializeSodium();

}  // namespace platform::security
