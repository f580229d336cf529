#include "services/customers/client/token_validation_call.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <iterator>
#include <utility>

namespace customers::client {
namespace {

// Of token_validation.proto.
constexpr int kMaxQueries = 1024;
// A message's authorizations, in bytes: far below the limit of a message.
constexpr std::size_t kMaxBatchBytes = std::size_t{256} << 10;
// Messages that may wait for the owner before reading pauses.
constexpr std::size_t kMaxUnread = 64;

using Requests = std::deque<customers::v1::ValidateTokensRequest>;

Requests ToRequests(std::span<const TokenValidationCall::Query> queries) {
  Requests requests;
  std::size_t bytes = 0;
  for (const TokenValidationCall::Query& query : queries) {
    bytes += query.authorization.size();
    if (requests.empty() || requests.back().queries_size() == kMaxQueries ||
        bytes > kMaxBatchBytes) {
      requests.emplace_back();
      bytes = query.authorization.size();
    }
    customers::v1::TokenQuery& message = *requests.back().add_queries();
    message.set_id(query.id);
    message.set_authorization(query.authorization.data(), query.authorization.size());
    message.set_request_id(query.origin.request_id.data(), query.origin.request_id.size());
    message.set_traceparent(query.origin.traceparent.data(), query.origin.traceparent.size());
  }
  return requests;
}

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

void TokenValidationCall::Send(std::span<const Query> queries) {
  Requests requests = ToRequests(queries);
  const std::scoped_lock lock(mutex_);
  std::ranges::move(requests, std::back_inserter(outbox_));
  if (!is_writing_) WriteNext();
}

std::vector<std::uint64_t> TokenValidationCall::TakeUnsent() {
  const std::scoped_lock lock(mutex_);
  const auto first = outbox_.begin() + (is_writing_ ? 1 : 0);
  std::vector<std::uint64_t> ids;
  for (auto request = first; request != outbox_.end(); ++request) {
    for (const customers::v1::TokenQuery& query : request->queries()) ids.push_back(query.id());
  }
  outbox_.erase(first, outbox_.end());
  return ids;
}

TokenValidationCall::News TokenValidationCall::Take() {
  const std::scoped_lock lock(mutex_);
  is_notified_ = false;
  if (std::exchange(is_paused_, false)) StartRead(&response_);
  return std::exchange(news_, {});
}

void TokenValidationCall::Abandon() {
  const std::scoped_lock lock(mutex_);
  is_abandoned_ = true;
  context_.TryCancel();
  // No read will tell that the stream has ended.
  if (std::exchange(is_paused_, false)) {
    is_open_ = false;
    RemoveHold();
  }
}

void TokenValidationCall::OnReadDone(bool ok) {
  const std::scoped_lock lock(mutex_);
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
  const std::scoped_lock lock(mutex_);
  is_writing_ = false;
  outbox_.pop_front();
  if (!ok) is_open_ = false;
  WriteNext();
}

void TokenValidationCall::OnDone(const ::grpc::Status& status) {
  std::shared_ptr<TokenValidationCall> self = std::move(self_);
  std::promise<void> ended = std::move(ended_);
  {
    const std::scoped_lock lock(mutex_);
    news_.end = status;
    Notify();
  }
  // With its context, and perhaps the channel.
  self.reset();
  ended.set_value();
}

void TokenValidationCall::WriteNext() {
  if (!is_open_ || outbox_.empty()) return;
  is_writing_ = true;
  StartWrite(&outbox_.front());
}

void TokenValidationCall::Notify() {
  if (!is_abandoned_ && !std::exchange(is_notified_, true)) {
    boost::asio::post(executor_, on_news_);
  }
}

}  // namespace customers::client
