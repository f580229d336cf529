#include "platform/security/random.h"

#include <sodium.h>

#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "platform/security/sodium.h"

namespace platform::security {
namespace {

// Random bytes of the system that have not been used yet.
class Reserve {
 public:
  unsigned char Take() {
    if (next_ == bytes_.size()) {
      InitializeSodium();
      randombytes_buf(bytes_.data(), bytes_.size());
      next_ = 0;
    }
    // A byte that has been handed out is erased.
    return std::exchange(bytes_[next_++], static_cast<unsigned char>(0));
  }

 private:
  std::array<unsigned char, 4096> bytes_{};
  std::size_t next_ = bytes_.size();
};

}  // namespace

void InitializeSodium() {
  static const int outcome = sodium_init();
  if (outcome < 0) throw std::runtime_error("libsodium does not start");
}

std::string RandomHex(std::size_t bytes) {
  std::string hex(2 * bytes, '\0');
  FillRandomHex(hex);
  return hex;
}

void FillRandomHex(std::span<char> digits) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  thread_local Reserve reserve;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    const unsigned byte = reserve.Take();
    digits[i] = kDigits[byte >> 4];
    digits[i + 1] = kDigits[byte & 0xf];
  }
}

}  // namespace platform::security
