#include "platform/grpc/server_call.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "platform/grpc/header_list.h"
#include "platform/grpc/server_connection.h"
#include "platform/grpc/wire.h"

namespace platform::grpc {

using internal::HeaderList;

ServerCall::ServerCall(const boost::asio::any_io_executor& executor, std::size_t worker,
                       std::size_t max_message_bytes)
    : Stream(executor, max_message_bytes), worker_(worker), wake_(executor) {}

std::string_view ServerCall::Metadata(std::string_view name) const {
  const auto found =
      std::ranges::find(metadata_, name, &std::pair<std::string, std::string>::first);
  return found == metadata_.end() ? std::string_view() : found->second;
}

Task<void> ServerCall::Wait(std::chrono::milliseconds time) {
  wake_.expires_after(time);
  co_await wake_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

void ServerCall::AddTrailer(std::string name, std::string value) {
  trailers_.emplace_back(std::move(name), std::move(value));
}

void ServerCall::OnHeader(std::string_view name, std::string_view value) {
  if (has_headers_) return;  // A trailer; gRPC has none in requests.
  // As HTTP/2 counts them.
  constexpr std::size_t kOverhead = 32;
  header_bytes_ += name.size() + value.size() + kOverhead;
  if (header_bytes_ > internal::kMaxHeaderBytes) return;
  if (name == ":method") {
    http_method_ = value;
  } else if (name == ":path") {
    path_ = value;
  } else if (name == "content-type") {
    content_type_ = value;
  } else if (name == "grpc-timeout") {
    timeout_ = value;
  } else if (!name.starts_with(':') && !name.starts_with("grpc-") && name != "te" &&
             name != "user-agent") {
    metadata_.emplace_back(name, value);
  }
}

void ServerCall::OnHeadersEnd(bool /*is_last*/) {
  if (std::exchange(has_headers_, true)) return;
  if (header_bytes_ > internal::kMaxHeaderBytes) {
    Finish({StatusCode::kResourceExhausted, "The headers are too large"});
  } else if (http_method_ != "POST") {
    Refuse("405");
  } else if (!internal::IsGrpcContentType(content_type_)) {
    Refuse("415");
  } else {
    static_cast<internal::ServerConnection*>(connection())->OnCall(*this);
  }
}

void ServerCall::OnBadMessage(Status status) { Finish(std::move(status)); }

void ServerCall::OnClosed(std::optional<std::uint32_t> /*error_code*/) { wake_.cancel(); }

void ServerCall::BeginSending() {
  has_response_ = true;
  const HeaderList headers{{":status", "200"}, {"content-type", "application/grpc"}};
  connection()->SubmitResponse(*this, headers, /*has_messages=*/true);
}

bool ServerCall::SendTrailers() {
  HeaderList headers;
  headers.AddStatus(*status_);
  for (const auto& [name, value] : trailers_) headers.Add(name, value);
  nghttp2_submit_trailer(connection()->session(), id(), headers.data(), headers.size());
  return true;
}

void ServerCall::Finish(Status status) {
  if (is_closed() || status_) return;
  status_ = std::move(status);
  EndSending();
  if (has_response_) return;
  HeaderList headers{{":status", "200"}, {"content-type", "application/grpc"}};
  headers.AddStatus(*status_);
  for (const auto& [name, value] : trailers_) headers.Add(name, value);
  connection()->SubmitResponse(*this, headers, /*has_messages=*/false);
}

void ServerCall::Refuse(std::string_view http_status) {
  status_ = Status{StatusCode::kInternal, ""};
  connection()->SubmitResponse(*this, HeaderList{{":status", http_status}},
                               /*has_messages=*/false);
}

void ServerCall::BeginServing(bool is_streaming) {
  is_streaming_ = is_streaming;
  if (is_shutting_down_ && is_streaming_) StopReading();
}

void ServerCall::OnShutdown() {
  is_shutting_down_ = true;
  if (is_streaming_) StopReading();
  wake_.cancel();
}

}  // namespace platform::grpc
