#include "platform/schema/write.h"

#include <fmt/compile.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>

namespace platform::schema {
namespace {

// Returns whether RFC 8259 section 7 requires the character to be escaped.
bool NeedsEscape(char character) {
  return character == '"' || character == '\\' || static_cast<unsigned char>(character) < 0x20;
}

}  // namespace

void WriteText(std::string_view text, std::string& out) {
  // To count all is faster than to look for the first, because it takes many characters at a time.
  if (std::ranges::count_if(text, NeedsEscape) > 0) {
    out += boost::json::serialize(text);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

void WriteTimestamp(Timestamp time, std::string& out) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 64> text;
  const char* const end = fmt::format_to(
      text.data(), FMT_COMPILE(R"("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00")"),
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
      clock.seconds().count(), clock.subseconds().count());
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

void ReserveForRest(std::size_t count, std::size_t size, std::string& out) {
  constexpr std::size_t kSlack = 32;  // One part in so many.
  const std::size_t rest = (count - 1) * (size + 1);
  out.reserve(out.size() + rest + (rest / kSlack) + 1);
}

}  // namespace platform::schema
