#include "platform/config/environment.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <expected>
#include <limits>
#include <memory>
#include <system_error>

namespace platform::config {
namespace {

constexpr std::size_t kMaxSecretBytes = 65536;
constexpr std::size_t kMaxQuotedBytes = 64;

std::string ErrnoText() { return std::generic_category().message(errno); }

// Quotes a value in a mistake, shortened and on one line.
std::string Quote(std::string_view value) {
  if (value.size() <= kMaxQuotedBytes) return fmt::format("{:?}", value);
  return fmt::format("{:?}...", value.substr(0, kMaxQuotedBytes));
}

// Returns the file's bytes up to one more than `limit`, or the reason why it cannot be read.
std::expected<std::string, std::string> ReadFile(const std::string& path, std::size_t limit) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (!file) return std::unexpected(ErrnoText());
  std::string bytes(limit + 1, '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file.get()));
  if (std::ferror(file.get()) != 0) return std::unexpected(ErrnoText());
  return bytes;
}

// Returns the reason why a file cannot be opened for reading; nothing if it can. Reads no data.
std::optional<std::string> WhyUnreadable(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return ErrnoText();
  struct stat status{};
  const bool is_file = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  ::close(descriptor);
  if (!is_file) return "not a regular file";
  return std::nullopt;
}

void DropTrailingNewline(std::string& text) {
  if (!text.ends_with('\n')) return;
  text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
}

std::string ToLower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

}  // namespace

std::optional<std::string> Environment::Lookup(std::string_view name) const {
  if (variables_) {
    const auto found = variables_->find(name);
    if (found == variables_->end() || found->second.empty()) return std::nullopt;
    return found->second;
  }
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

void Environment::Describe(std::string_view name, std::string_view fallback, bool required,
                           std::string_view help) {
  if (std::ranges::find(described_, name, &Variable::name) != described_.end()) return;
  described_.push_back({.name = std::string(name),
                        .fallback = std::string(fallback),
                        .required = required,
                        .help = std::string(help)});
}

void Environment::AddMistake(std::string_view name, std::string_view problem) {
  mistakes_.push_back(fmt::format("{} {}", name, problem));
}

void Environment::AddUnreadable(std::string_view name, std::string_view path,
                                std::string_view reason) {
  AddMistake(name,
             fmt::format("names {}, which cannot be read ({}); it should name a readable file",
                         Quote(path), reason));
}

std::string Environment::RequiredString(std::string_view name, std::string_view help) {
  Describe(name, "", true, help);
  auto value = Lookup(name);
  if (!value) AddMistake(name, fmt::format("is not set; it should be the {}", help));
  return std::move(value).value_or("");
}

std::string Environment::String(std::string_view name, std::string_view fallback,
                                std::string_view help) {
  Describe(name, fallback, false, help);
  return Lookup(name).value_or(std::string(fallback));
}

int Environment::ReadInteger(std::string_view name, int fallback, Range range,
                             std::string_view noun) {
  const auto value = Lookup(name);
  if (!value) return fallback;
  int number = 0;
  const char* end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, number);
  if (error != std::errc() || stop != end || number < range.min || number > range.max) {
    AddMistake(name, fmt::format("is {}; it should be {} from {} to {}", Quote(*value), noun,
                                 range.min, range.max));
    return fallback;
  }
  return number;
}

int Environment::Integer(std::string_view name, int fallback, Range range, std::string_view help,
                         std::string_view fallback_text) {
  Describe(name, fallback_text.empty() ? fmt::to_string(fallback) : fallback_text, false, help);
  return ReadInteger(name, fallback, range, "a whole number");
}

std::chrono::seconds Environment::Seconds(std::string_view name, std::chrono::seconds fallback,
                                          Range range, std::string_view help) {
  Describe(name, fmt::to_string(fallback.count()), false, help);
  return std::chrono::seconds(
      ReadInteger(name, static_cast<int>(fallback.count()), range, "a whole number of seconds"));
}

std::uint16_t Environment::Port(std::string_view name, std::uint16_t fallback,
                                std::string_view help) {
  Describe(name, fmt::to_string(fallback), false, help);
  return static_cast<std::uint16_t>(
      ReadInteger(name, fallback, {1, std::numeric_limits<std::uint16_t>::max()}, "a port"));
}

std::uint16_t Environment::ListenPort(std::string_view name, std::uint16_t fallback,
                                      std::string_view help) {
  Describe(name, fmt::to_string(fallback), false, help);
  return static_cast<std::uint16_t>(ReadInteger(
      name, fallback, {0, std::numeric_limits<std::uint16_t>::max()}, "a port (0: any free one)"));
}

bool Environment::Boolean(std::string_view name, bool fallback, std::string_view help) {
  static constexpr std::array<std::string_view, 4> kTrue = {"true", "yes", "on", "1"};
  static constexpr std::array<std::string_view, 4> kFalse = {"false", "no", "off", "0"};
  Describe(name, fallback ? "true" : "false", false, help);
  const auto value = Lookup(name);
  if (!value) return fallback;
  const std::string word = ToLower(*value);
  if (std::ranges::find(kTrue, word) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, word) != kFalse.end()) return false;
  AddMistake(name, fmt::format("is {}; it should be true or false (or yes, no, on, off, 1, 0)",
                               Quote(*value)));
  return fallback;
}

std::string Environment::OneOf(std::string_view name,
                               std::initializer_list<std::string_view> choices,
                               std::string_view fallback, std::string_view help) {
  const std::string listed = fmt::format("{}", fmt::join(choices, ", "));
  Describe(name, fallback, false, fmt::format("{}: {}", help, listed));
  auto value = Lookup(name);
  if (!value) return std::string(fallback);
  if (std::ranges::find(choices, *value) != choices.end()) return *std::move(value);
  AddMistake(name, fmt::format("is {}; it should be one of {}", Quote(*value), listed));
  return std::string(fallback);
}

Secret Environment::SecretOrFile(std::string_view name, std::size_t min_bytes,
                                 std::string_view help) {
  std::optional<Secret> secret = ReadSecret(name, min_bytes, true, help);
  if (!secret) {
    AddMistake(name, fmt::format("is not set; it should be, or {}_FILE instead", name));
    return {};
  }
  return *std::move(secret);
}

Secret Environment::OptionalSecretOrFile(std::string_view name, std::size_t min_bytes,
                                         std::string_view help) {
  return ReadSecret(name, min_bytes, false, help).value_or(Secret());
}

std::optional<Secret> Environment::ReadSecret(std::string_view name, std::size_t min_bytes,
                                              bool required, std::string_view help) {
  const std::string file_name = fmt::format("{}_FILE", name);
  Describe(name, "", required, help);
  Describe(file_name, "", false, fmt::format("file that holds {} instead", name));

  // At most one of the two may be set.
  auto value = Lookup(name);
  const auto path = Lookup(file_name);
  if (!value && !path) return std::nullopt;
  if (value && path) {
    AddMistake(name, fmt::format("is set, and {} too; only one of them should be", file_name));
    return Secret();
  }

  std::string_view source = name;
  if (path) {
    source = file_name;
    auto bytes = ReadFile(*path, kMaxSecretBytes + 2);  // And its newline.
    if (!bytes) {
      AddUnreadable(source, *path, bytes.error());
      return Secret();
    }
    value = *std::move(bytes);
    DropTrailingNewline(*value);
  }

  if (value->size() < min_bytes || value->size() > kMaxSecretBytes) {
    AddMistake(source, fmt::format("{} {} bytes; it should be {} to {}",
                                   path ? "names a file that holds" : "has", value->size(),
                                   min_bytes, kMaxSecretBytes));
    return Secret();
  }
  return Secret(*std::move(value));
}

std::string Environment::ReadableFile(std::string_view name, std::string_view help) {
  Describe(name, "", true, help);
  auto path = Lookup(name);
  if (!path) {
    AddMistake(name, "is not set; it should name a readable file");
    return {};
  }
  if (const auto reason = WhyUnreadable(*path)) {
    AddUnreadable(name, *path, *reason);
    return {};
  }
  return *std::move(path);
}

std::string Environment::Table() const {
  std::size_t name_width = 0;
  std::size_t fallback_width = 0;
  const auto shown_fallback = [](const Variable& variable) -> std::string_view {
    if (variable.required) return "(required)";
    return variable.fallback.empty() ? "-" : std::string_view(variable.fallback);
  };
  for (const Variable& variable : described_) {
    name_width = std::max(name_width, variable.name.size());
    fallback_width = std::max(fallback_width, shown_fallback(variable).size());
  }
  std::string table;
  for (const Variable& variable : described_) {
    fmt::format_to(std::back_inserter(table), "  {:<{}}  {:<{}}  {}\n", variable.name, name_width,
                   shown_fallback(variable), fallback_width, variable.help);
  }
  return table;
}

}  // namespace platform::config
