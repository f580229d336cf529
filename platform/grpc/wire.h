#pragma once

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "platform/grpc/status.h"

// The forms in which gRPC over HTTP/2 sends messages and headers:
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
namespace platform::grpc::internal {

// Returns a message with its prefix, uncompressed.
std::string Frame(const google::protobuf::MessageLite& message);

// Cuts the bytes of a stream into messages.
class MessageParser {
 public:
  explicit MessageParser(std::size_t max_message_bytes) : max_bytes_(max_message_bytes) {}

  // Takes the next bytes, and appends the messages that they complete. Returns an error if they
  // violate the protocol or the limit; then nothing more may be added.
  Status Add(std::string_view bytes, std::deque<std::string>& messages);

  // Returns whether the latest message is incomplete.
  bool IsInMessage() const { return !prefix_.empty(); }

  // Returns the memory of the incomplete message, in bytes.
  std::size_t bytes() const { return message_.capacity(); }

 private:
  const std::size_t max_bytes_;
  std::string prefix_;    // The bytes of the current message's prefix that have arrived.
  std::string message_;   // The same of the message itself.
  std::size_t size_ = 0;  // Its size, once the prefix is complete.
};

// Returns the time in a header `grpc-timeout`, at most a hundred years, or nothing if the value is
// malformed.
std::optional<std::chrono::milliseconds> ParseTimeout(std::string_view value);
std::string FormatTimeout(std::chrono::milliseconds timeout);

// The percent-encoding of `grpc-message`. A malformed escape is decoded as it is.
std::string EncodeStatusMessage(std::string_view message);
std::string DecodeStatusMessage(std::string_view encoded);

// Returns whether a header `content-type` belongs to gRPC.
bool IsGrpcContentType(std::string_view value);

}  // namespace platform::grpc::internal
