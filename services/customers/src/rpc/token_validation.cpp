#include "services/customers/src/rpc/token_validation.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "proto/customers/v1/token_validation.pb.h"
#include "services/customers/src/rpc/verdict_log.h"

namespace customers {
namespace {

namespace asio = boost::asio;
using Request = v1::ValidateTokensRequest;
using Response = v1::ValidateTokensResponse;
using platform::Result;
using platform::Task;
using platform::grpc::ServerCall;
using platform::grpc::Status;
using platform::grpc::StatusCode;

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

// The bytes of the messages that are being answered, on all streams. Any thread.
class OpenBytes {
 public:
  // Counts a message while it exists.
  class Share {
   public:
    Share(OpenBytes& all, std::size_t bytes)
        : all_(&all), bytes_(bytes), has_room_(all.bytes_.fetch_add(bytes) + bytes <= all.limit_) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() { all_->bytes_.fetch_sub(bytes_); }

    bool has_room() const { return has_room_; }

   private:
    OpenBytes* all_;
    std::size_t bytes_;
    bool has_room_;
  };

  explicit OpenBytes(std::size_t limit) : limit_(limit) {}

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> bytes_ = 0;
};

// An open stream. Belongs to one worker's event loop.
struct Stream {
  Stream(std::shared_ptr<ServerCall> its_call, const asio::any_io_executor& executor)
      : call(std::move(its_call)), progress(executor, asio::steady_timer::time_point::max()) {}

  // Waits until a message is answered. At least one must be open.
  Task<void> WaitForProgress() {
    co_await progress.async_wait(asio::as_tuple(asio::use_awaitable));
  }

  const std::shared_ptr<ServerCall> call;
  boost::unordered_flat_set<std::uint64_t> open_ids{};  // Of queries without a verdict.
  std::size_t unwritten = 0;  // Queries whose verdict flow control has not let pass.
  int open_messages = 0;
  asio::steady_timer progress;  // Cancelled when a message is answered.
};

std::vector<AskedToken> TokensOf(const Request& request) {
  std::vector<AskedToken> tokens;
  tokens.reserve(static_cast<std::size_t>(request.queries_size()));
  for (const v1::TokenQuery& query : request.queries()) {
    tokens.push_back({.authorization = query.authorization(),
                      .request_id = query.request_id(),
                      .traceparent = query.traceparent()});
  }
  return tokens;
}

// Answers a message, and then wakes the stream's reader.
Task<void> Answer(std::shared_ptr<Stream> stream, ValidationWorker worker,
                  std::shared_ptr<OpenBytes> open_bytes, Request request) {
  std::vector<Result<Identity>> results;
  {
    const OpenBytes::Share share(*open_bytes, request.ByteSizeLong());
    if (share.has_room()) {
      std::vector<AskedToken> tokens = TokensOf(request);
      results = co_await Judge(worker, kMethod, std::move(tokens));
    } else {
      results.assign(static_cast<std::size_t>(request.queries_size()),
                     std::unexpected(platform::Error::Unavailable()));
    }
  }
  for (const v1::TokenQuery& query : request.queries()) stream->open_ids.erase(query.id());
  for (const Response& response : ToResponses(request, std::move(results))) {
    co_await stream->call->SendAndWait(response);
  }
  stream->unwritten -= static_cast<std::size_t>(request.queries_size());
  --stream->open_messages;
  stream->progress.cancel();
}

// Adds a message's queries to the open ones. Returns an error if the message breaks the contract.
Status Register(Stream& stream, const Request& request) {
  if (request.queries_size() > kMaxQueries) {
    return {StatusCode::kInvalidArgument, "Too many queries in a message"};
  }
  for (const v1::TokenQuery& query : request.queries()) {
    if (!stream.open_ids.insert(query.id()).second) {
      return {StatusCode::kInvalidArgument, "The id of a query is still open"};
    }
  }
  stream.unwritten += static_cast<std::size_t>(request.queries_size());
  return {};
}

Task<Status> Serve(ServerCall& call, const ValidationWorker& worker,
                   std::shared_ptr<OpenBytes> open_bytes, std::size_t max_open) {
  const auto executor = co_await asio::this_coro::executor;
  const auto stream = std::make_shared<Stream>(call.Share(), executor);
  while (const auto bytes = co_await call.Read()) {
    Request request;
    if (!request.ParseFromString(*bytes)) {
      co_return Status{StatusCode::kInternal, "The message cannot be parsed"};
    }
    if (Status status = Register(*stream, request); !status.ok()) co_return status;
    if (request.queries_size() == 0) continue;
    ++stream->open_messages;
    asio::co_spawn(executor, Answer(stream, worker, open_bytes, std::move(request)),
                   asio::detached);
    while (stream->unwritten >= max_open) co_await stream->WaitForProgress();
  }
  while (stream->open_messages > 0) co_await stream->WaitForProgress();
  co_return Status{};
}

}  // namespace

platform::grpc::Method ValidateTokensMethod(std::vector<ValidationWorker> workers,
                                            TokenValidationLimits limits) {
  return {.path = "/" + std::string(kMethod),
          .max_calls = limits.streams,
          .serve =
              [workers = std::move(workers), limits,
               open_bytes = std::make_shared<OpenBytes>(limits.open_bytes)](ServerCall& call) {
                return Serve(call, workers[call.worker()], open_bytes, limits.open_queries);
              },
          .is_streaming = true};
}

}  // namespace customers
