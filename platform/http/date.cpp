#include "platform/http/date.h"

#include <fmt/chrono.h>

#include <ctime>
#include <string>

namespace platform::http {

std::string_view HttpDate() {
  thread_local std::time_t second = 0;
  thread_local std::string text;
  if (const std::time_t now = std::time(nullptr); now != second) {
    second = now;
    text = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
  }
  return text;
}

}  // namespace platform::http
