#include "platform/schema/text.h"

#include <unistr.h>

#include <cstdint>

namespace platform::schema {
namespace {

const std::uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

}  // namespace

bool IsText(std::string_view bytes) {
  return !bytes.contains('\0') && u8_check(Bytes(bytes), bytes.size()) == nullptr;
}

std::size_t CountCharacters(std::string_view text) { return u8_mbsnlen(Bytes(text), text.size()); }

std::string_view FirstCharacters(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (; end < text.size() && count > 0; --count) {
    end += static_cast<std::size_t>(u8_mblen(Bytes(text) + end, text.size() - end));
  }
  return text.substr(0, end);
}

}  // namespace platform::schema
