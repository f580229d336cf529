#pragma once

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string_view>

#include "platform/base/embedded_file.h"
#include "platform/migrations/migrations.h"

namespace platform::migrations {
namespace internal {

inline constexpr std::string_view kUpSuffix = ".up.sql";
inline constexpr std::string_view kDownSuffix = ".down.sql";

// Returns the number in V001__what_it_does.
constexpr int ParseVersion(std::string_view name) {
  constexpr std::size_t kDigits = 3;
  if (name.size() < kDigits + 4 || name[0] != 'V' || name.substr(kDigits + 1, 2) != "__") {
    throw std::invalid_argument("a migration is named V001__what_it_does.up.sql / .down.sql");
  }
  int version = 0;
  for (const char digit : name.substr(1, kDigits)) {
    if (digit < '0' || digit > '9') {
      throw std::invalid_argument("a migration's number has three digits");
    }
    version = version * 10 + (digit - '0');
  }
  return version;
}

constexpr void CheckContent(std::string_view content) {
  if (!content.starts_with("-- ")) {
    throw std::invalid_argument("a migration's first line is a comment with its reason");
  }
  if (content.contains('\0')) {
    throw std::invalid_argument("a migration is text");
  }
}

}  // namespace internal

// Returns the migrations of embedded pairs V001__what_it_does.up.sql and .down.sql, listed in
// order. A missing half, a gap in the numbers or a missing reason is a compile error.
template <std::size_t N>
consteval std::array<Migration, N / 2> FromFiles(const std::array<EmbeddedFile, N>& files) {
  static_assert(N % 2 == 0, "every migration has an .up.sql and a .down.sql");
  std::array<Migration, N / 2> migrations;
  for (std::size_t i = 0; i < migrations.size(); ++i) {
    const EmbeddedFile& up = files[2 * i];
    const EmbeddedFile& down = files[2 * i + 1];
    if (!up.name.ends_with(internal::kUpSuffix) || !down.name.ends_with(internal::kDownSuffix)) {
      throw std::invalid_argument("list each .up.sql with its .down.sql behind it");
    }
    const auto name = up.name.substr(0, up.name.size() - internal::kUpSuffix.size());
    if (name != down.name.substr(0, down.name.size() - internal::kDownSuffix.size())) {
      throw std::invalid_argument("the two files of a migration have one name");
    }
    const int version = internal::ParseVersion(name);
    if (version != static_cast<int>(i) + 1) {
      throw std::invalid_argument("migrations are numbered 1, 2, 3, … and listed in order");
    }
    internal::CheckContent(up.content);
    internal::CheckContent(down.content);
    migrations[i] = {.version = version,
                     .name = name,
                     .up = up.content,
                     .down = down.content,
                     .checksum = up.sha256};
  }
  return migrations;
}

}  // namespace platform::migrations
