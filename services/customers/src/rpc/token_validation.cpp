#include "services/customers/src/rpc/token_validation.h"

#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "proto/customers/v1/token_validation.grpc.pb.h"
#include "services/customers/src/rpc/open_streams.h"

namespace customers {
namespace {

using Request = v1::ValidateTokensRequest;
using Response = v1::ValidateTokensResponse;
using platform::Result;
using platform::Task;

constexpr std::string_view kMethod = "customers.v1.TokenValidation/ValidateTokens";
// The limit in token_validation.proto.
constexpr int kMaxQueries = 1024;
// Maximum size of a message's verdicts, in bytes; far below the limit of a message.
constexpr std::size_t kMaxResponseBytes = std::size_t{256} << 10;

v1::Verdict ToVerdict(std::uint64_t id, Result<Identity> result) {
  v1::Verdict verdict;
  verdict.set_id(id);
  if (result) {
    v1::Identity& identity = *verdict.mutable_identity();
    identity.set_user_id(result->id);
    identity.set_email(std::move(result->email));
    identity.set_is_admin(result->is_admin);
  } else if (IsRefusal(result.error())) {
    verdict.mutable_refusal()->set_message(std::move(result.error().reason));
  } else {
    const auto retry_after = result.error().retry_after.value_or(std::chrono::seconds{0});
    verdict.mutable_unavailable()->set_retry_after_seconds(
        static_cast<std::uint32_t>(retry_after.count()));
  }
  return verdict;
}

// Makes one verdict for each query, in as many messages as their size requires.
std::vector<Response> ToResponses(const Request& request, std::vector<Result<Identity>> results) {
  std::vector<Response> responses(1);
  std::size_t bytes = 0;
  auto result = results.begin();
  for (const v1::TokenQuery& query : request.queries()) {
    v1::Verdict verdict = ToVerdict(query.id(), std::move(*result++));
    const std::size_t size = verdict.ByteSizeLong();
    if (bytes != 0 && bytes + size > kMaxResponseBytes) {
      responses.emplace_back();
      bytes = 0;
    }
    bytes += size;
    *responses.back().add_verdicts() = std::move(verdict);
  }
  return responses;
}

class Stream;

// The open streams, and the bytes of the messages that are being answered on them.
class Streams : public OpenStreams<Stream> {
 public:
  explicit Streams(const TokenValidationLimits& limits)
      : OpenStreams(limits.streams), byte_limit_(limits.open_bytes) {}

  // Counts a message's bytes until Release(). Returns false, and counts nothing, if there would be
  // too many.
  bool Reserve(std::size_t bytes) {
    if (open_bytes_.fetch_add(bytes) + bytes <= byte_limit_) return true;
    open_bytes_.fetch_sub(bytes);
    return false;
  }
  void Release(std::size_t bytes) { open_bytes_.fetch_sub(bytes); }

 private:
  const std::size_t byte_limit_;
  std::atomic<std::size_t> open_bytes_ = 0;
};

// One stream. gRPC calls its reactions on gRPC's threads; answers come from the worker's thread.
// gRPC never invokes a reaction from inside StartRead(), StartWrite() or Finish(), so all are
// called with `mutex_` held, which ensures that none is started after Finish().
class Stream final : public ::grpc::ServerBidiReactor<Request, Response>,
                     public std::enable_shared_from_this<Stream> {
 public:
  Stream(const ValidationWorker& worker, std::size_t max_open)
      : worker_(worker), max_open_(max_open) {}

  // Call it once, before gRPC receives the stream.
  void Open(std::shared_ptr<Streams> streams) {
    self_ = shared_from_this();
    streams_ = std::move(streams);
    const std::optional<::grpc::Status> end = streams_->Add(self_);
    const std::scoped_lock lock(mutex_);
    if (end) {
      FinishOnce(*end);
    } else {
      StartRead(&request_);
    }
  }

  // Answers the open queries, then ends the stream.
  void End() {
    const std::scoped_lock lock(mutex_);
    EndWith(::grpc::Status::OK);
  }

  // Sends the worker's answer to a message of this size.
  void Answer(const Request& request, std::size_t size, std::vector<Result<Identity>> results) {
    std::vector<Response> responses = ToResponses(request, std::move(results));
    const std::scoped_lock lock(mutex_);
    streams_->Release(size);
    if (!is_finished_) Write(request, std::move(responses));
  }

  // Ends the stream, because its worker no longer exists, with a message of this size unanswered.
  void Abandon(std::size_t size) {
    const std::scoped_lock lock(mutex_);
    streams_->Release(size);
    FinishOnce({::grpc::StatusCode::UNAVAILABLE, "Temporarily unavailable"});
  }

 private:
  void OnReadDone(bool ok) override;

  void OnWriteDone(bool ok) override {
    const std::scoped_lock lock(mutex_);
    if (!ok || is_finished_) return;
    unwritten_ -= static_cast<std::size_t>(outbox_.front().verdicts_size());
    outbox_.pop_front();
    if (!outbox_.empty()) StartWrite(&outbox_.front());
    if (end_) {
      FinishWhenAnswered();
    } else if (is_paused_ && unwritten_ < max_open_) {
      is_paused_ = false;
      StartRead(&request_);
    }
  }

  void OnCancel() override {
    const std::scoped_lock lock(mutex_);
    FinishOnce(::grpc::Status::CANCELLED);
  }

  void OnDone() override {
    streams_->Remove(self_);
    self_.reset();
  }

  // The following need the lock.

  // Stops reading, and ends the stream with `status` when all queries are answered.
  void EndWith(::grpc::Status status) {
    if (!end_) end_ = std::move(status);
    FinishWhenAnswered();
  }

  void FinishWhenAnswered() {
    if (unwritten_ == 0) FinishOnce(*end_);
  }

  void FinishOnce(const ::grpc::Status& status) {
    if (!std::exchange(is_finished_, true)) Finish(status);
  }

  // Writes the answer to a message.
  void Write(const Request& request, std::vector<Response> responses) {
    for (const v1::TokenQuery& query : request.queries()) open_ids_.erase(query.id());
    const bool is_writing = !outbox_.empty();
    std::ranges::move(responses, std::back_inserter(outbox_));
    if (!is_writing) StartWrite(&outbox_.front());
  }

  // Has the worker answer the message that was read.
  void Dispatch();

  // Adds a message's queries to the open ones. Returns an error if the message breaks the contract.
  ::grpc::Status Register(const Request& request);

  const ValidationWorker& worker_;
  const std::size_t max_open_;
  std::shared_ptr<Streams> streams_;
  std::shared_ptr<Stream> self_;  // Keeps the stream alive while gRPC uses it.

  Request request_;  // The message being read.

  std::mutex mutex_;
  boost::unordered_flat_set<std::uint64_t> open_ids_;  // Ids of queries that wait for the worker.
  std::size_t unwritten_ = 0;                          // Queries whose verdict is not yet written.
  std::deque<Response> outbox_;                        // The first message is being written.
  bool is_paused_ = false;                             // No read is under way.
  std::optional<::grpc::Status> end_;                  // Set when no more is to be read.
  bool is_finished_ = false;
};

// A message on its way through the worker. If it is destroyed unanswered, because the worker no
// longer exists, its stream ends.
class OpenBatch {
 public:
  OpenBatch(std::shared_ptr<Stream> stream, Request request, std::size_t size)
      : stream_(std::move(stream)), request_(std::move(request)), size_(size) {}
  OpenBatch(OpenBatch&&) = default;
  OpenBatch(const OpenBatch&) = delete;
  OpenBatch& operator=(const OpenBatch&) = delete;
  OpenBatch& operator=(OpenBatch&&) = delete;
  ~OpenBatch() {
    if (stream_ != nullptr) stream_->Abandon(size_);
  }

  std::vector<AskedToken> Tokens() const {
    std::vector<AskedToken> tokens;
    tokens.reserve(static_cast<std::size_t>(request_.queries_size()));
    for (const v1::TokenQuery& query : request_.queries()) {
      tokens.push_back({.authorization = query.authorization(),
                        .request_id = query.request_id(),
                        .traceparent = query.traceparent()});
    }
    return tokens;
  }

  void Answer(std::vector<Result<Identity>> results) {
    std::exchange(stream_, nullptr)->Answer(request_, size_, std::move(results));
  }

 private:
  std::shared_ptr<Stream> stream_;
  Request request_;
  std::size_t size_;  // In bytes, as counted by Streams.
};

Task<void> Validate(const ValidationWorker& worker, OpenBatch batch) {
  batch.Answer(co_await Judge(worker, kMethod, batch.Tokens()));
}

::grpc::Status Stream::Register(const Request& request) {
  if (request.queries_size() > kMaxQueries) {
    return {::grpc::StatusCode::INVALID_ARGUMENT, "Too many queries in a message"};
  }
  for (const v1::TokenQuery& query : request.queries()) {
    if (!open_ids_.insert(query.id()).second) {
      return {::grpc::StatusCode::INVALID_ARGUMENT, "The id of a query is still open"};
    }
  }
  unwritten_ += static_cast<std::size_t>(request.queries_size());
  return ::grpc::Status::OK;
}

void Stream::Dispatch() {
  Request request = std::exchange(request_, {});
  const std::size_t size = request.ByteSizeLong();
  if (!streams_->Reserve(size)) {
    const std::vector<Result<Identity>> results(static_cast<std::size_t>(request.queries_size()),
                                                std::unexpected(platform::Error::Unavailable()));
    Write(request, ToResponses(request, results));
    return;
  }
  boost::asio::co_spawn(worker_.executor,
                        Validate(worker_, OpenBatch(shared_from_this(), std::move(request), size)),
                        boost::asio::detached);
}

void Stream::OnReadDone(bool ok) {
  const std::scoped_lock lock(mutex_);
  if (is_finished_) return;
  if (!ok) {
    // The client has half-closed the stream. If the connection broke, gRPC calls OnCancel().
    EndWith(::grpc::Status::OK);
    return;
  }
  // A message that arrives after the end is ignored; the client sends it again on another stream.
  if (end_) return;
  if (const ::grpc::Status status = Register(request_); !status.ok()) {
    FinishOnce(status);
    return;
  }
  if (request_.queries_size() > 0) Dispatch();
  is_paused_ = unwritten_ >= max_open_;
  if (!is_paused_) StartRead(&request_);
}

}  // namespace

class TokenValidationService::Impl final : public v1::TokenValidation::CallbackService {
 public:
  Impl(std::vector<ValidationWorker> workers, TokenValidationLimits limits)
      : workers_(std::move(workers)),
        limits_(limits),
        streams_(std::make_shared<Streams>(limits)) {}

  ::grpc::ServerBidiReactor<Request, Response>* ValidateTokens(
      ::grpc::CallbackServerContext*) override {
    const std::size_t turn = next_worker_.fetch_add(1, std::memory_order_relaxed);
    const auto stream =
        std::make_shared<Stream>(workers_[turn % workers_.size()], limits_.open_queries);
    stream->Open(streams_);
    return stream.get();
  }

  void EndStreams() {
    for (const auto& stream : streams_->End()) stream->End();
  }

 private:
  const std::vector<ValidationWorker> workers_;
  const TokenValidationLimits limits_;
  const std::shared_ptr<Streams> streams_;
  std::atomic<std::size_t> next_worker_ = 0;
};

TokenValidationService::TokenValidationService(std::vector<ValidationWorker> workers,
                                               TokenValidationLimits limits)
    : impl_(std::make_unique<Impl>(std::move(workers), limits)) {}

TokenValidationService::~TokenValidationService() = default;

::grpc::Service& TokenValidationService::service() { return *impl_; }

void TokenValidationService::EndStreams() { impl_->EndStreams(); }

}  // namespace customers
