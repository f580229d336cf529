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

}  // namespace platform::schema
