#include "services/cart/src/clients/token_validation_call.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace cart {
namespace {

// Of token_validation.proto.
constexpr int kMaxQueries = 1024;
// A message's authorizations, in bytes: far below the limit of a message.
constexpr std::size_t kMaxBatchBytes = std::size_t{256} << 10;
// Messages that may wait for the owner before reading pauses.
constexpr std::size_t kMaxUnread = 64;

}  // namespace

std::shared_ptr<TokenValidationCall> TokenValidationCall::Start(
    Stub& stub, const boost::asio::any_io_executor& executor, std::function<void()> on_news,
    std::promise<void> ended) {
  const std::shared_ptr<TokenValidationCall> call(
      new TokenValidationCall(executor, std::move(on_news), std::move(ended)));
  call->self_ = call;
  stub.async()->ValidateTokens(&call->context_, call.get());
  // For the operations that the owner starts; removed when none can follow.
  call->AddHold();
  call->StartRead(&call->response_);
  call->StartCall();
  return call;
}

TokenValidationCall::TokenValidationCall(boost::asio::any_io_executor executor,
                                         std::function<void()> on_news, std::promise<void> ended)
    : executor_(std::move(executor)), on_news_(std::move(on_news)), ended_(std::move(ended)) {}

bool TokenValidationCall::Batch::HasRoomFor(const Query& query) const {
  return request.queries_size() < kMaxQueries &&
         bytes + query.authorization.size() <= kMaxBatchBytes;
}

void TokenValidationCall::Send(std::span<const Query> queries) {
  const std::lock_guard lock(mutex_);
  if (!is_open_) return;
  for (const Query& query : queries) {
    const std::size_t taken = is_writing_ ? 1 : 0;
    if (outbox_.size() == taken || !outbox_.back().HasRoomFor(query)) outbox_.emplace_back();
    Batch& batch = outbox_.back();
    batch.bytes += query.authorization.size();
    customers::v1::TokenQuery& message = *batch.request.add_queries();
    message.set_id(query.id);
    message.set_authorization(query.authorization.data(), query.authorization.size());
    message.set_request_id(query.origin.request_id.data(), query.origin.request_id.size());
    message.set_traceparent(query.origin.traceparent.data(), query.origin.traceparent.size());
  }
  if (!is_writing_ && !outbox_.empty()) {
    is_writing_ = true;
    StartWrite(&outbox_.front().request);
  }
}

TokenValidationCall::News TokenValidationCall::Take() {
  const std::lock_guard lock(mutex_);
  is_notified_ = false;
  if (std::exchange(is_paused_, false)) StartRead(&response_);
  return std::exchange(news_, {});
}

void TokenValidationCall::Abandon() {
  const std::lock_guard lock(mutex_);
  is_abandoned_ = true;
  context_.TryCancel();
  // No read will tell that the stream has ended.
  if (std::exchange(is_paused_, false)) {
    is_open_ = false;
    RemoveHold();
  }
}

void TokenValidationCall::OnReadDone(bool ok) {
  const std::lock_guard lock(mutex_);
  if (!ok) {
    is_open_ = false;
    RemoveHold();
    return;
  }
  if (!is_abandoned_) news_.verdicts.push_back(std::exchange(response_, {}));
  Notify();
  is_paused_ = news_.verdicts.size() >= kMaxUnread;
  if (!is_paused_) StartRead(&response_);
}

void TokenValidationCall::OnWriteDone(bool ok) {
  const std::lock_guard lock(mutex_);
  is_writing_ = false;
  outbox_.pop_front();
  if (!ok) is_open_ = false;
  if (is_open_ && !outbox_.empty()) {
    is_writing_ = true;
    StartWrite(&outbox_.front().request);
  }
}

void TokenValidationCall::OnDone(const ::grpc::Status& status) {
  std::shared_ptr<TokenValidationCall> self = std::move(self_);
  std::promise<void> ended = std::move(ended_);
  {
    const std::lock_guard lock(mutex_);
    news_.end = status;
    Notify();
  }
  // With its context, and perhaps the channel.
  self.reset();
  ended.set_value();
}

void TokenValidationCall::Notify() {
  if (!is_abandoned_ && !std::exchange(is_notified_, true)) {
    boost::asio::post(executor_, on_news_);
  }
}

}  // namespace cart
