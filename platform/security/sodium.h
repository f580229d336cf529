#pragma once

namespace platform::security {

// libsodium asks for this before any use; cheap after the first time. Throws std::runtime_error.
void InitializeSodium();

}  // namespace platform::security
