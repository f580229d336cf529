#include "platform/grpc/stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "platform/grpc/connection.h"

namespace platform::grpc::internal {

namespace asio = boost::asio;

namespace {

// A call that holds no more than this goes on when the budget is exceeded.
constexpr std::size_t kUncountedBytes = 4096;

}  // namespace

Task<std::optional<std::string>> Stream::Read() {
  const auto self = shared_from_this();
  if (inbox_.empty() && !is_reading_over_) {
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [this](auto handler) {
          reader_ = [handler = std::move(handler)] mutable { std::move(handler)(); };
        },
        asio::use_awaitable);
  }
  if (inbox_.empty()) co_return std::nullopt;
  std::string message = std::move(inbox_.front());
  inbox_.pop_front();
  inbox_bytes_ -= message.size();
  CountHeld();
  ConsumeTaken();
  co_return message;
}

Task<void> Stream::SendFrameAndWait(std::string frame) {
  const auto self = shared_from_this();
  if (is_closed_ || is_sending_over_) co_return;
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [&](auto handler) {
        SendFrame(std::move(frame),
                  [handler = std::move(handler)] mutable { std::move(handler)(); });
      },
      asio::use_awaitable);
}

void Stream::SendFrame(std::string frame, std::move_only_function<void()> done) {
  if (is_closed_ || is_sending_over_) return;
  if (!std::exchange(has_begun_, true)) BeginSending();
  outbox_.push_back({.frame = std::move(frame), .done = std::move(done)});
  if (std::exchange(is_deferred_, false)) connection_->ResumeSending(id_);
}

void Stream::EndSending() {
  is_sending_over_ = true;
  if (!is_closed_ && std::exchange(is_deferred_, false)) connection_->ResumeSending(id_);
}

void Stream::StopReading() {
  is_reading_over_ = true;
  ResumeReader();
}

void Stream::Reset(std::uint32_t error_code) {
  if (connection_ != nullptr) connection_->ResetStream(id_, error_code);
}

void Stream::ReceiveData(std::string_view bytes) {
  unconsumed_ += bytes.size();
  if (is_reading_over_) {
    ConsumeTaken();
    return;
  }
  const std::size_t messages = inbox_.size();
  if (const Status status = parser_.Add(bytes, inbox_); !status.ok()) {
    StopReading();
    OnBadMessage(status);
    return;
  }
  for (std::size_t i = messages; i < inbox_.size(); ++i) inbox_bytes_ += inbox_[i].size();
  CountHeld();
  if (held_ > kUncountedBytes && connection_->IsOverBudget()) {
    StopReading();
    OnBadMessage({StatusCode::kResourceExhausted, "Too many bytes wait to be processed"});
    return;
  }
  ConsumeTaken();
  if (!inbox_.empty()) ResumeReader();
}

void Stream::ReceiveEnd() {
  if (parser_.IsInMessage()) {
    OnBadMessage({StatusCode::kInternal, "The last message is incomplete"});
  }
  StopReading();
  OnPeerEnd();
}

void Stream::Close(std::optional<std::uint32_t> error_code) {
  if (std::exchange(is_closed_, true)) return;
  StopReading();
  for (Outgoing& outgoing : std::exchange(outbox_, {})) {
    if (outgoing.done) Resume(std::move(outgoing.done));
  }
  OnClosed(error_code);
  if (connection_ == nullptr) return;
  // What was received can still be read, but no longer counts, because nothing is added to it.
  connection_->CountHeld(std::exchange(held_, 0), 0);
  connection_ = nullptr;
}

void Stream::Abandon() {
  is_closed_ = true;
  is_reading_over_ = true;
  connection_ = nullptr;
  // Destroying a coroutine may destroy this object.
  const auto self = shared_from_this();
  const auto reader = std::exchange(reader_, nullptr);
  const auto outbox = std::exchange(outbox_, {});
}

ssize_t Stream::Pull(std::uint8_t* buffer, std::size_t length, std::uint32_t* flags) {
  std::size_t count = 0;
  while (count < length && !outbox_.empty()) {
    Outgoing& first = outbox_.front();
    const std::size_t size = std::min(length - count, first.frame.size() - sent_of_first_);
    std::copy_n(first.frame.data() + sent_of_first_, size, buffer + count);
    count += size;
    sent_of_first_ += size;
    if (sent_of_first_ == first.frame.size()) {
      sent_of_first_ = 0;
      if (first.done) Resume(std::move(first.done));
      ++sent_count_;
      outbox_.pop_front();
    }
  }
  if (outbox_.empty() && is_sending_over_) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (SendTrailers()) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  } else if (count == 0) {
    is_deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<ssize_t>(count);
}

void Stream::ResumeReader() {
  if (reader_) Resume(std::exchange(reader_, nullptr));
}

void Stream::Resume(std::move_only_function<void()> resume) const {
  asio::post(executor_, std::move(resume));
}

// Grants the peer window for everything but the messages that wait to be read. An incomplete
// message does not count, because a message may be larger than the window.
void Stream::ConsumeTaken() {
  if (is_closed_ || unconsumed_ <= inbox_bytes_) return;
  connection_->ConsumeStream(id_, unconsumed_ - inbox_bytes_);
  unconsumed_ = inbox_bytes_;
}

void Stream::CountHeld() {
  if (is_closed_) return;
  connection_->CountHeld(held_, inbox_bytes_ + parser_.bytes());
  held_ = inbox_bytes_ + parser_.bytes();
}

}  // namespace platform::grpc::internal
