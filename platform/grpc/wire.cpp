#include "platform/grpc/wire.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace platform::grpc::internal {
namespace {

// One byte that says whether the message is compressed, and four of its size.
constexpr std::size_t kPrefixBytes = 5;
constexpr std::string_view kHexDigits = "0123456789ABCDEF";

std::optional<int> HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return std::nullopt;
}

}  // namespace

std::string Frame(const google::protobuf::MessageLite& message) {
  const std::size_t size = message.ByteSizeLong();
  std::string frame(kPrefixBytes + size, '\0');
  for (std::size_t i = 1; i < kPrefixBytes; ++i) {
    frame[i] = static_cast<char>((size >> (8 * (kPrefixBytes - 1 - i))) & 0xFF);
  }
  message.SerializeWithCachedSizesToArray(
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): Protobuf writes bytes.
      reinterpret_cast<std::uint8_t*>(frame.data() + kPrefixBytes));
  return frame;
}

Status MessageParser::Add(std::string_view bytes, std::deque<std::string>& messages) {
  while (!bytes.empty()) {
    if (prefix_.size() < kPrefixBytes) {
      const std::string_view more = bytes.substr(0, kPrefixBytes - prefix_.size());
      prefix_ += more;
      bytes.remove_prefix(more.size());
      if (prefix_.size() < kPrefixBytes) break;
      if (prefix_.front() != '\0') {
        return {StatusCode::kUnimplemented, "Compressed messages are not supported"};
      }
      size_ = 0;
      for (const char byte : std::string_view(prefix_).substr(1)) {
        size_ = size_ << 8 | static_cast<std::uint8_t>(byte);
      }
      if (size_ > max_bytes_) return {StatusCode::kResourceExhausted, "The message is too large"};
    }
    const std::string_view more = bytes.substr(0, size_ - message_.size());
    message_ += more;
    bytes.remove_prefix(more.size());
    if (message_.size() == size_) {
      messages.push_back(std::exchange(message_, {}));
      prefix_.clear();
    }
  }
  return {};
}

std::optional<std::chrono::milliseconds> ParseTimeout(std::string_view value) {
  using namespace std::chrono;
  constexpr std::size_t kMaxDigits = 8;
  // A later time could not be represented in nanoseconds.
  constexpr hours kMaxTimeout{100 * 365 * 24};
  if (value.size() < 2 || value.size() > kMaxDigits + 1) return std::nullopt;
  const std::string_view digits = value.substr(0, value.size() - 1);
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  std::int64_t count = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), count);
  switch (value.back()) {
    case 'H':
      return std::min(hours{count}, kMaxTimeout);
    case 'M':
      return std::min<milliseconds>(minutes{count}, kMaxTimeout);
    case 'S':
      return seconds{count};
    case 'm':
      return milliseconds{count};
    case 'u':
      return ceil<milliseconds>(microseconds{count});
    case 'n':
      return ceil<milliseconds>(nanoseconds{count});
    default:
      return std::nullopt;
  }
}

std::string FormatTimeout(std::chrono::milliseconds timeout) {
  // The value has at most eight digits.
  constexpr std::int64_t kMaxCount = 99'999'999;
  const std::int64_t count = std::max<std::int64_t>(timeout.count(), 0);
  if (count <= kMaxCount) return std::to_string(count) + "m";
  return std::to_string(std::min(count / 1000, kMaxCount)) + "S";
}

std::string EncodeStatusMessage(std::string_view message) {
  std::string encoded;
  encoded.reserve(message.size());
  for (const char character : message) {
    if (character >= ' ' && character <= '~' && character != '%') {
      encoded += character;
    } else {
      const auto byte = static_cast<std::uint8_t>(character);
      encoded += {'%', kHexDigits[byte >> 4], kHexDigits[byte & 0xF]};
    }
  }
  return encoded;
}

std::string DecodeStatusMessage(std::string_view encoded) {
  std::string message;
  message.reserve(encoded.size());
  while (!encoded.empty()) {
    const auto high = encoded.size() > 2 ? HexDigit(encoded[1]) : std::nullopt;
    const auto low = encoded.size() > 2 ? HexDigit(encoded[2]) : std::nullopt;
    if (encoded.front() == '%' && high && low) {
      message += static_cast<char>(*high << 4 | *low);
      encoded.remove_prefix(3);
    } else {
      message += encoded.front();
      encoded.remove_prefix(1);
    }
  }
  return message;
}

bool IsGrpcContentType(std::string_view value) {
  constexpr std::string_view kType = "application/grpc";
  if (!value.starts_with(kType)) return false;
  const std::string_view rest = value.substr(kType.size());
  return rest.empty() || rest.front() == '+' || rest.front() == ';';
}

}  // namespace platform::grpc::internal
