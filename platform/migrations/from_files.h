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

// What the lines that begin with `-- migrate: ` say about a file.
struct Directives {
  bool in_transaction = true;
  // Set if the file replaces one that made the same schema: the replaced file's checksum, which
  // databases have recorded.
  std::string_view replaced_checksum;
};

constexpr Directives ParseDirectives(std::string_view content) {
  constexpr std::string_view kStart = "\n-- migrate: ";
  constexpr std::string_view kOutside = "outside a transaction";
  constexpr std::string_view kReplaces = "replaces ";
  Directives directives;
  for (auto at = content.find(kStart); at != std::string_view::npos;
       at = content.find(kStart, at + 1)) {
    const auto rest = content.substr(at + kStart.size());
    const auto directive = rest.substr(0, rest.find('\n'));
    if (directive == kOutside) {
      directives.in_transaction = false;
    } else if (directive.starts_with(kReplaces)) {
      directives.replaced_checksum = directive.substr(kReplaces.size());
    } else {
      throw std::invalid_argument(
          "a migration says `outside a transaction` or `replaces <SHA-256>`");
    }
  }
  return directives;
}

constexpr bool Creates(std::string_view content, std::string_view table) {
  constexpr std::string_view kCreate = "CREATE TABLE ";
  for (auto at = content.find(kCreate); at != std::string_view::npos;
       at = content.find(kCreate, at + 1)) {
    const auto created = content.substr(at + kCreate.size());
    if (created.substr(0, created.find_first_of(" (\n")) == table) {
      return true;
    }
  }
  return false;
}

// A plain CREATE INDEX locks out writes until it is done, so it is for tables of the same file.
constexpr void CheckIndexes(std::string_view content) {
  constexpr std::string_view kIndex = " INDEX ";
  constexpr std::string_view kOn = "ON ";
  for (auto at = content.find(kIndex); at != std::string_view::npos;
       at = content.find(kIndex, at + 1)) {
    const auto before = content.substr(0, at);
    const bool creates = before.ends_with("CREATE") || before.ends_with("CREATE UNIQUE");
    const auto rest = content.substr(at + kIndex.size());
    if (rest.starts_with("CONCURRENTLY ")) {
      if (!rest.starts_with("CONCURRENTLY IF ")) {
        throw std::invalid_argument(
            "an index is built or dropped CONCURRENTLY with IF NOT EXISTS or IF EXISTS, because "
            "the statement may run again");
      }
    } else if (creates) {
      const auto table = rest.substr(rest.find(kOn) + kOn.size());
      if (!Creates(content, table.substr(0, table.find_first_of(" (\n")))) {
        throw std::invalid_argument(
            "an index of a table in use is built with CREATE INDEX CONCURRENTLY IF NOT EXISTS, "
            "outside a transaction");
      }
    }
  }
}

constexpr void CheckContent(std::string_view content) {
  if (!content.starts_with("-- ")) {
    throw std::invalid_argument("a migration's first line is a comment with its reason");
  }
  if (content.contains('\0')) {
    throw std::invalid_argument("a migration is text");
  }
  CheckIndexes(content);
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
    const auto directives = internal::ParseDirectives(up.content);
    migrations[i] = {
        .version = version,
        .name = name,
        .up = up.content,
        .down = down.content,
        .checksum = directives.replaced_checksum.empty() ? up.sha256 : directives.replaced_checksum,
        .up_in_transaction = directives.in_transaction,
        .down_in_transaction = internal::ParseDirectives(down.content).in_transaction};
  }
  return migrations;
}

}  // namespace platform::migrations
