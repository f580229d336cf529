#include "platform/grpc/client_call.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "platform/grpc/client_connection.h"
#include "platform/grpc/header_list.h"
#include "platform/grpc/wire.h"

namespace platform::grpc {
namespace {

using Clock = std::chrono::steady_clock;

// https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
StatusCode FromHttp(std::string_view http_status) {
  if (http_status == "400") return StatusCode::kInternal;
  if (http_status == "401") return StatusCode::kUnauthenticated;
  if (http_status == "403") return StatusCode::kPermissionDenied;
  if (http_status == "404") return StatusCode::kUnimplemented;
  if (http_status == "429" || http_status == "502" || http_status == "503" ||
      http_status == "504") {
    return StatusCode::kUnavailable;
  }
  return StatusCode::kUnknown;
}

// Returns the status of a call that ended without one.
StatusCode FromHttp2(std::uint32_t error_code) {
  switch (error_code) {
    case NGHTTP2_REFUSED_STREAM:
      return StatusCode::kUnavailable;
    case NGHTTP2_CANCEL:
      return StatusCode::kCancelled;
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return StatusCode::kResourceExhausted;
    case NGHTTP2_INADEQUATE_SECURITY:
      return StatusCode::kPermissionDenied;
    default:
      return StatusCode::kInternal;
  }
}

StatusCode ParseCode(std::string_view text) {
  int code = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  const bool is_known = error == std::errc() && end == text.data() + text.size() && code >= 0 &&
                        code <= static_cast<int>(StatusCode::kUnauthenticated);
  return is_known ? static_cast<StatusCode>(code) : StatusCode::kUnknown;
}

std::optional<Clock::time_point> FromNow(std::optional<std::chrono::milliseconds> timeout) {
  if (!timeout) return std::nullopt;
  return Clock::now() + *timeout;
}

}  // namespace

ClientCall::ClientCall(const boost::asio::any_io_executor& executor, std::string path,
                       Metadata metadata, std::optional<std::chrono::milliseconds> timeout,
                       std::size_t max_message_bytes)
    : Stream(executor, max_message_bytes),
      path_(std::move(path)),
      metadata_(std::move(metadata)),
      deadline_(FromNow(timeout)),
      deadline_timer_(executor) {}

void ClientCall::Cancel() { Fail({StatusCode::kCancelled, "Cancelled"}); }

void ClientCall::CloseConnection() {
  if (connection() != nullptr) connection()->Close();
}

const Status& ClientCall::status() const {
  static const Status unknown{StatusCode::kUnknown, ""};
  return status_ ? *status_ : unknown;
}

std::string_view ClientCall::Trailer(std::string_view name) const {
  const auto found =
      std::ranges::find(trailers_, name, &std::pair<std::string, std::string>::first);
  return found == trailers_.end() ? std::string_view() : found->second;
}

void ClientCall::OnHeader(std::string_view name, std::string_view value) {
  // As HTTP/2 counts them.
  constexpr std::size_t kOverhead = 32;
  header_bytes_ += name.size() + value.size() + kOverhead;
  if (header_bytes_ > internal::kMaxHeaderBytes) return;
  if (name == ":status") {
    http_status_ = value;
  } else if (name == "grpc-status") {
    grpc_status_ = value;
  } else if (name == "grpc-message") {
    grpc_message_ = value;
  } else {
    trailers_.emplace_back(name, value);
  }
}

void ClientCall::OnHeadersEnd(bool is_last) {
  if (header_bytes_ > internal::kMaxHeaderBytes) {
    Fail({StatusCode::kResourceExhausted, "The headers are too large"});
  } else if (!grpc_status_.empty()) {
    status_ = {ParseCode(grpc_status_), internal::DecodeStatusMessage(grpc_message_)};
  } else if (http_status_ != "200") {
    if (http_status_.starts_with('1') && !is_last) return;  // An informational response.
    Fail({FromHttp(http_status_), "The response has the HTTP status " + http_status_});
  } else if (is_last) {
    status_ = {StatusCode::kUnknown, "The response has no status"};
  } else {
    trailers_.clear();  // These are headers.
  }
}

void ClientCall::OnBadMessage(Status status) { Fail(std::move(status)); }

void ClientCall::OnPeerEnd() {
  if (!status_) status_ = {StatusCode::kInternal, "The response has no trailers"};
  // The server ignores further messages.
  if (!is_sending_over()) Reset(NGHTTP2_NO_ERROR);
}

void ClientCall::OnClosed(std::optional<std::uint32_t> error_code) {
  deadline_timer_.cancel();
  if (status_) return;
  if (error_code) {
    status_ = {FromHttp2(*error_code), "The server has reset the call"};
  } else {
    status_ = {StatusCode::kUnavailable, "The connection is lost"};
  }
}

void ClientCall::WatchDeadline() {
  if (!deadline_) return;
  deadline_timer_.expires_at(*deadline_);
  deadline_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = std::static_pointer_cast<ClientCall>(weak.lock());
    if (error || self == nullptr) return;
    self->Fail({StatusCode::kDeadlineExceeded, "The deadline has passed"});
  });
}

void ClientCall::Fail(Status status) {
  if (is_closed() || status_) return;
  status_ = std::move(status);
  if (connection() == nullptr) {
    Close(std::nullopt);
  } else {
    StopReading();
    Reset(NGHTTP2_CANCEL);
  }
}

}  // namespace platform::grpc
