#include "services/customers/src/domain/common_passwords.h"

#include <unicase.h>
#include <uninorm.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "common_passwords_file.h"

namespace customers {
namespace {

// The list is sorted, with one password a line. It is derived from the list of Django; see the
// licence beside the file.
constexpr std::string_view kList = kCommonPasswordsFile.front().content;

constexpr std::size_t LongestLine() {
  std::size_t longest = 0;
  for (std::size_t begin = 0; begin < kList.size();) {
    const std::size_t end = kList.find('\n', begin);
    longest = std::max(longest, end - begin);
    begin = end + 1;
  }
  return longest;
}

constexpr std::size_t kLongest = LongestLine();

// Returns whether the list has the line, by binary search.
bool IsInList(std::string_view wanted) {
  std::size_t first = 0;  // The line looked for begins at `first` or later, and before `last`.
  std::size_t last = kList.size();
  while (first < last) {
    const std::size_t middle = first + ((last - first) / 2);
    const std::size_t newline =
        middle == 0 ? std::string_view::npos : kList.rfind('\n', middle - 1);
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    const std::size_t end = kList.find('\n', middle);
    const std::string_view line = kList.substr(begin, end - begin);
    if (line == wanted) return true;
    if (line < wanted) {
      first = end + 1;
    } else {
      last = begin;
    }
  }
  return false;
}

}  // namespace

bool IsCommonPassword(std::string_view password) {
  // Lower case and NFC shorten a text to a third at most: U+212A, the Kelvin sign, becomes "k".
  std::array<std::uint8_t, 3 * kLongest> normalized;
  if (password.size() > normalized.size()) return false;
  std::size_t size = normalized.size();
  std::uint8_t* const result =
      u8_tolower(reinterpret_cast<const std::uint8_t*>(password.data()), password.size(), nullptr,
                 UNINORM_NFC, normalized.data(), &size);
  // A result that has grown out of the buffer is longer than any line.
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> grown(
      result == normalized.data() ? nullptr : result, &std::free);
  if (result != normalized.data()) return false;
  return IsInList({reinterpret_cast<const char*>(result), size});
}

}  // namespace customers
