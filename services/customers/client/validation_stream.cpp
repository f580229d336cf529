#include "services/customers/client/validation_stream.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <iterator>
#include <utility>

namespace customers::client {
namespace {

// Number of received messages at which reading pauses until the owner takes them.
constexpr std::size_t kMaxUntaken = 64;
// A bound for a server that does not end a half-closed stream.
constexpr std::chrono::seconds kMaxAge{60};

}  // namespace

std::shared_ptr<ValidationStream> ValidationStream::Start(
    v1::TokenValidation::StubInterface& stub, const boost::asio::any_io_executor& executor,
    std::function<void()> on_received, std::promise<void> ended) {
  const std::shared_ptr<ValidationStream> stream(
      new ValidationStream(executor, std::move(on_received), std::move(ended)));
  stream->self_ = stream;
  stream->context_.set_deadline(std::chrono::system_clock::now() + kMaxAge);
  // The headers travel with the first message.
  stream->context_.set_initial_metadata_corked(true);
  stub.async()->ValidateTokens(&stream->context_, stream.get());
  // The owner starts operations outside of gRPC's reactions, which a hold permits. The hold is
  // removed when no more operations can follow.
  stream->AddHold();
  stream->StartRead(&stream->incoming_);
  stream->StartCall();
  return stream;
}

ValidationStream::ValidationStream(boost::asio::any_io_executor executor,
                                   std::function<void()> on_received, std::promise<void> ended)
    : executor_(std::move(executor)),
      on_received_(std::move(on_received)),
      ended_(std::move(ended)) {}

void ValidationStream::Send(std::vector<v1::ValidateTokensRequest> messages) {
  const std::scoped_lock lock(mutex_);
  std::ranges::move(messages, std::back_inserter(outbox_));
  if (!is_writing_) WriteNext();
}

void ValidationStream::HalfClose() {
  const std::scoped_lock lock(mutex_);
  is_closing_ = true;
  if (!is_writing_) WriteNext();
}

std::vector<v1::ValidateTokensRequest> ValidationStream::TakeUnsent() {
  const std::scoped_lock lock(mutex_);
  const auto first = outbox_.begin() + (is_writing_ ? 1 : 0);
  std::vector<v1::ValidateTokensRequest> unsent(std::move_iterator(first),
                                                std::move_iterator(outbox_.end()));
  outbox_.erase(first, outbox_.end());
  return unsent;
}

ValidationStream::Received ValidationStream::Take() {
  const std::scoped_lock lock(mutex_);
  is_notified_ = false;
  if (std::exchange(is_paused_, false)) StartRead(&incoming_);
  return std::exchange(received_, {});
}

void ValidationStream::Abandon() {
  const std::scoped_lock lock(mutex_);
  is_abandoned_ = true;
  context_.TryCancel();
  // While reading is paused, no read can fail and remove the hold, so it is removed here.
  if (std::exchange(is_paused_, false)) {
    is_open_ = false;
    RemoveHold();
  }
}

void ValidationStream::OnReadDone(bool ok) {
  const std::scoped_lock lock(mutex_);
  if (!ok) {
    is_open_ = false;
    RemoveHold();
    return;
  }
  if (!is_abandoned_) received_.messages.push_back(std::exchange(incoming_, {}));
  Notify();
  is_paused_ = received_.messages.size() >= kMaxUntaken;
  if (!is_paused_) StartRead(&incoming_);
}

void ValidationStream::OnWriteDone(bool ok) {
  const std::scoped_lock lock(mutex_);
  is_writing_ = false;
  outbox_.pop_front();
  if (!ok) is_open_ = false;
  WriteNext();
}

void ValidationStream::OnDone(const ::grpc::Status& status) {
  std::shared_ptr<ValidationStream> self = std::move(self_);
  std::promise<void> ended = std::move(ended_);
  {
    const std::scoped_lock lock(mutex_);
    received_.end = status;
    Notify();
  }
  // This may destroy the stream with its context, and the channel with its last stream.
  self.reset();
  ended.set_value();
}

void ValidationStream::WriteNext() {
  if (!is_open_) return;
  if (!outbox_.empty()) {
    is_writing_ = true;
    StartWrite(&outbox_.front());
  } else if (std::exchange(is_closing_, false)) {
    StartWritesDone();
  }
}

void ValidationStream::Notify() {
  if (!is_abandoned_ && !std::exchange(is_notified_, true)) {
    boost::asio::post(executor_, on_received_);
  }
}

}  // namespace customers::client
