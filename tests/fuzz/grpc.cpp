// The bytes of a gRPC stream → messages, in whatever pieces they arrive; and the texts of headers.

#include <algorithm>
#include <deque>
#include <string>

#include "platform/grpc/wire.h"
#include "tests/fuzz/check.h"

namespace {

using platform::grpc::internal::MessageParser;

constexpr std::size_t kMaxMessageBytes = 300;

struct Parsed {
  std::deque<std::string> messages{};
  bool is_good = true;
  bool is_in_message = false;

  bool operator==(const Parsed&) const = default;
};

Parsed Parse(std::string_view bytes, std::size_t step) {
  MessageParser parser(kMaxMessageBytes);
  Parsed parsed;
  for (std::size_t i = 0; i < bytes.size() && parsed.is_good; i += step) {
    parsed.is_good = parser.Add(bytes.substr(i, step), parsed.messages).ok();
    fuzz::Check(parser.bytes() <= 2 * kMaxMessageBytes, "an incomplete message is bounded");
  }
  parsed.is_in_message = parsed.is_good && parser.IsInMessage();
  return parsed;
}

void CheckMessages(std::string_view bytes) {
  const Parsed whole = Parse(bytes, std::max<std::size_t>(bytes.size(), 1));
  for (const std::size_t step : {1U, 2U, 3U, 7U}) {
    fuzz::Check(Parse(bytes, step) == whole, "the pieces make no difference");
  }
  std::size_t size = 0;
  for (const std::string& message : whole.messages) {
    fuzz::Check(message.size() <= kMaxMessageBytes, "a message has at most the maximum size");
    size += 5 + message.size();
  }
  fuzz::Check(size <= bytes.size(), "messages consist of what has arrived");
  if (whole.is_good) {
    fuzz::Check((size == bytes.size()) != whole.is_in_message, "what is left is a message's begin");
  }
}

void CheckHeaders(std::string_view text) {
  using namespace platform::grpc::internal;
  const std::string encoded = EncodeStatusMessage(text);
  fuzz::Check(std::ranges::all_of(encoded, [](char c) { return c >= ' ' && c <= '~'; }),
              "an encoded message is plain text");
  fuzz::Check(DecodeStatusMessage(encoded) == text, "a message survives its encoding");
  fuzz::Check(DecodeStatusMessage(text).size() <= text.size(), "decoding adds nothing");
  if (const auto timeout = ParseTimeout(text)) {
    fuzz::Check(timeout->count() >= 0, "no timeout is negative");
    if (timeout->count() <= 99'999'999) {
      fuzz::Check(ParseTimeout(FormatTimeout(*timeout)) == timeout, "a timeout survives");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::Text(data, size);
  CheckMessages(bytes);
  CheckHeaders(bytes);
  return 0;
}
