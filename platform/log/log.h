#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>
#include <variant>

// Structured log lines on standard output:
//
//   log::Info("listening", {{"protocol", "http"}, {"port", port}});
//   {"time":"2026-11-22T23:00:27.304648Z","level":"info","message":"listening","protocol":"http",...}
//
// All functions may be called from any thread, and none but Flush() waits for the reader of
// standard output. Lines never mix. A thread writes them: a warning, an error, and a line that
// follows 200 ms without output at once, other lines within 200 ms. While the reader stalls, 4 MiB
// of lines are kept and later ones are dropped; a line "log lines dropped" reports their number
// since the start. Lines that wait are written at exit(), for which the reader has one second; they
// are lost if the process is killed.
namespace platform::log {

enum class Level { kTrace, kDebug, kInfo, kWarning, kError };

enum class Format {
  kJson,  // One object per line.
  kText,  // Easy to read: time, level, message, key=value.
};

// One key and its value. It refers to the caller's texts: use it only as an argument of a log call.
// A text may hold any bytes; bytes that are not UTF-8 become U+FFFD. A number that is not finite
// becomes null, and so does an optional without a value.
class Field {
 public:
  using Value =
      std::variant<std::monostate, std::string_view, std::int64_t, std::uint64_t, double, bool>;

  template <class T>
    requires std::convertible_to<const T&, std::string_view>
  constexpr Field(std::string_view key, const T& value)
      : key_(key), value_(std::in_place_type<std::string_view>, value) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  constexpr Field(std::string_view key, T value) : key_(key), value_(Widen(value)) {}

  template <class T>
  constexpr Field(std::string_view key, const std::optional<T>& value)
      : Field(value ? Field(key, *value) : Field(key)) {}

  std::string_view key() const { return key_; }
  const Value& value() const { return value_; }

 private:
  explicit constexpr Field(std::string_view key) : key_(key) {}

  template <class T>
  static constexpr Value Widen(T value) {
    if constexpr (std::same_as<T, bool>) {
      return Value(std::in_place_type<bool>, value);
    } else if constexpr (std::floating_point<T>) {
      return Value(std::in_place_type<double>, static_cast<double>(value));
    } else if constexpr (std::signed_integral<T>) {
      return Value(std::in_place_type<std::int64_t>, value);
    } else {
      return Value(std::in_place_type<std::uint64_t>, value);
    }
  }

  std::string_view key_;
  Value value_;
};

using Fields = std::initializer_list<Field>;

// Sets the lowest level that is logged and the format; the defaults are kInfo and kJson. Call it
// before starting threads.
void Configure(Level level, Format format);

// Returns whether a line of this level would be written. Call it to avoid computing costly fields
// in vain.
bool Enabled(Level level);

void Write(Level level, std::string_view message, Fields fields = {});

inline void Trace(std::string_view message, Fields fields = {}) {
  Write(Level::kTrace, message, fields);
}
inline void Debug(std::string_view message, Fields fields = {}) {
  Write(Level::kDebug, message, fields);
}
inline void Info(std::string_view message, Fields fields = {}) {
  Write(Level::kInfo, message, fields);
}
inline void Warning(std::string_view message, Fields fields = {}) {
  Write(Level::kWarning, message, fields);
}
inline void Error(std::string_view message, Fields fields = {}) {
  Write(Level::kError, message, fields);
}

// Waits until the lines so far are written, for at most one second.
void Flush();

// Returns the number of lines that were dropped because the reader stalled or writing failed.
std::uint64_t DroppedLines();

}  // namespace platform::log
