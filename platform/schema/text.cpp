#include "platform/schema/text.h"

#include <uninorm.h>
#include <unistr.h>

#include <algorithm>
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

std::string ToNfc(std::string_view text) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::ranges::all_of(text, is_ascii) || u8_check(Bytes(text), text.size()) != nullptr) {
    return std::string(text);
  }
  constexpr std::size_t kMaxGrowth = 3;  // Of NFC in UTF-8, as UAX #15 says.
  std::string normalized(kMaxGrowth * text.size(), '\0');
  std::size_t size = normalized.size();
  auto* const buffer = reinterpret_cast<std::uint8_t*>(normalized.data());
  if (u8_normalize(UNINORM_NFC, Bytes(text), text.size(), buffer, &size) != buffer) {
    return std::string(text);
  }
  normalized.resize(size);
  return normalized;
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
