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
// All functions may be called from any thread. Lines never mix. They are buffered: a line is out at
// once when it is a warning or an error, or when none went out for 200 ms, else within 200 ms. What
// is buffered is written at exit(), but lost if the process is killed.
namespace platform::log {

enum class Level { kTrace, kDebug, kInfo, kWarning, kError };

enum class Format {
  kJson,  // One object per line.
  kText,  // For people: time, level, message, key=value.
};

// One key and its value. It refers to the texts given: use it only as an argument of a log call.
// Text may be any bytes; what is not UTF-8 becomes U+FFFD. A number that is not finite becomes
// null, and so does an optional without a value.
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

// Sets what is logged and how; until then kInfo and kJson. Call it before starting threads.
void Configure(Level level, Format format);

// Whether a line of this level would be written: spares computing costly fields.
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

// Writes what is buffered.
void Flush();

}  // namespace platform::log
