#include "platform/security/random.h"

#include <sodium.h>

#include <stdexcept>
#include <vector>

#include "platform/security/sodium.h"

namespace platform::security {

void InitializeSodium() {
  static const int outcome = sodium_init();
  if (outcome < 0) throw std::runtime_error("libsodium does not start");
}

std::string RandomHex(std::size_t bytes) {
  if (bytes == 0) return {};
  InitializeSodium();
  std::vector<unsigned char> random(bytes);
  randombytes_buf(random.data(), random.size());
  std::string hex(2 * bytes + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), random.data(), random.size());
  hex.pop_back();  // The terminating NUL.
  return hex;
}

}  // namespace platform::security
