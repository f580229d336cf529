#include "services/customers/src/rpc/user_deletions.h"

#include <utility>

#include "proto/customers/v1/user_deletions.pb.h"

namespace customers {
namespace {

using Clock = std::chrono::steady_clock;
using platform::ErrorCode;
using platform::Task;
using platform::grpc::ServerCall;
using platform::grpc::Status;
using platform::grpc::StatusCode;

// Time between two messages while further deletions are known.
constexpr std::chrono::milliseconds kCatchUpInterval{10};

v1::StreamDeletionsResponse ToResponse(const std::vector<Deletion>& deletions) {
  v1::StreamDeletionsResponse response;
  for (const Deletion& deletion : deletions) {
    v1::Deletion& added = *response.add_deletions();
    added.set_position(deletion.position);
    added.set_user_id(deletion.user_id);
  }
  response.set_is_caught_up(deletions.empty());
  return response;
}

Status ToStatus(const platform::Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      return {StatusCode::kOutOfRange, "No deletion has this position"};
    case ErrorCode::kUnavailable:
      return {StatusCode::kUnavailable, "Temporarily unavailable"};
    default:
      return {StatusCode::kInternal, "Internal error"};
  }
}

Task<Status> Serve(ServerCall& call, const ReadDeletions& read, UserDeletionsLimits limits) {
  const auto bytes = co_await call.Read();
  v1::StreamDeletionsRequest request;
  if (!bytes || !request.ParseFromString(*bytes)) {
    co_return Status{StatusCode::kInternal, "The message cannot be parsed"};
  }
  std::int64_t position = request.after();
  const auto end = Clock::now() + limits.max_age;
  while (!call.is_closed() && !call.is_shutting_down() && Clock::now() < end) {
    const auto deletions = co_await read(position);
    if (!deletions) co_return ToStatus(deletions.error());
    // A page that is not full may be the last one, but only an empty one shows that it is.
    const bool is_caught_up = deletions->empty();
    if (!is_caught_up) position = deletions->back().position;
    // The table is not read again before the client has taken this page.
    co_await call.SendAndWait(ToResponse(*deletions));
    if (call.is_closed() || call.is_shutting_down()) continue;
    co_await call.Wait(is_caught_up ? limits.interval : kCatchUpInterval);
  }
  co_return Status{};
}

}  // namespace

platform::grpc::Method StreamDeletionsMethod(std::vector<ReadDeletions> workers,
                                             UserDeletionsLimits limits) {
  return {.path = "/customers.v1.UserDeletions/StreamDeletions",
          .max_calls = limits.streams,
          .serve = [workers = std::move(workers), limits](
                       ServerCall& call) { return Serve(call, workers[call.worker()], limits); },
          .is_streaming = true};
}

}  // namespace customers
