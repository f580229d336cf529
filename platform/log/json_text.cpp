#include "platform/log/json_text.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/string_view.hpp>
#include <boost/locale/utf.hpp>

namespace platform::log {
namespace {

bool IsPlain(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

std::string ReplaceInvalidUtf8(std::string_view text) {
  namespace utf = boost::locale::utf;
  std::string valid;
  valid.reserve(text.size());
  const char* position = text.data();
  const char* const end = position + text.size();
  while (position != end) {
    const char* const start = position;
    const utf::code_point point = utf::utf_traits<char>::decode(position, end);
    if (point == utf::illegal || point == utf::incomplete) {
      valid += "\xEF\xBF\xBD";  // U+FFFD
      position = start + 1;
    } else {
      valid.append(start, position);
    }
  }
  return valid;
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  if (std::ranges::all_of(text, IsPlain)) {
    out += '"';
    out += text;
    out += '"';
  } else {
    out += boost::json::serialize(boost::json::string_view(ReplaceInvalidUtf8(text)));
  }
}

}  // namespace platform::log
