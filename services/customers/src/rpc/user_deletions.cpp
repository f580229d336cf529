#include "services/customers/src/rpc/user_deletions.h"

#include <grpcpp/support/server_callback.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>

#include "platform/log/log.h"
#include "proto/customers/v1/user_deletions.grpc.pb.h"
#include "services/customers/src/rpc/open_streams.h"

namespace customers {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using Request = v1::StreamDeletionsRequest;
using Response = v1::StreamDeletionsResponse;
using platform::ErrorCode;
using platform::Task;

// Time between two messages while further deletions are known.
constexpr std::chrono::milliseconds kCatchUpInterval{10};

// One stream. gRPC calls its reactions on gRPC's threads; messages come from the executor's thread.
// gRPC never invokes a reaction from inside StartWrite() or Finish(), so both are called with
// `mutex_` held, which ensures that no write is started after Finish().
class Stream final : public ::grpc::ServerWriteReactor<Response>,
                     public std::enable_shared_from_this<Stream> {
 public:
  // Returns whether the stream is open. Call it once, before gRPC receives the stream.
  bool Open(std::shared_ptr<OpenStreams<Stream>> streams) {
    self_ = shared_from_this();
    streams_ = std::move(streams);
    const std::optional<::grpc::Status> end = streams_->Add(self_);
    if (end) End(*end);
    return !end;
  }

  bool IsOpen() const {
    const std::scoped_lock lock(mutex_);
    return !is_finished_;
  }

  // Returns whether the client has taken the previous message, as far as flow control permits.
  bool CanWrite() const {
    const std::scoped_lock lock(mutex_);
    return !is_writing_ && !is_finished_;
  }

  // Requires CanWrite(), unless the stream has ended meanwhile: then it does nothing.
  void Write(Response response) {
    const std::scoped_lock lock(mutex_);
    if (is_finished_) return;
    response_ = std::move(response);
    is_writing_ = true;
    StartWrite(&response_);
  }

  // Does nothing if the stream has ended.
  void End(const ::grpc::Status& status) {
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(is_finished_, true)) Finish(status);
  }

 private:
  void OnWriteDone(bool) override {
    const std::scoped_lock lock(mutex_);
    is_writing_ = false;
  }

  void OnCancel() override { End(::grpc::Status::CANCELLED); }

  void OnDone() override {
    streams_->Remove(self_);
    self_.reset();
  }

  std::shared_ptr<OpenStreams<Stream>> streams_;
  std::shared_ptr<Stream> self_;  // Keeps the stream alive while gRPC uses it.

  mutable std::mutex mutex_;
  Response response_;  // The message being written.
  bool is_writing_ = false;
  bool is_finished_ = false;
};

Response ToResponse(const std::vector<Deletion>& deletions) {
  Response response;
  for (const Deletion& deletion : deletions) {
    v1::Deletion& added = *response.add_deletions();
    added.set_position(deletion.position);
    added.set_user_id(deletion.user_id);
  }
  return response;
}

::grpc::Status ToStatus(const platform::Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      return {::grpc::StatusCode::OUT_OF_RANGE, "No deletion has this position"};
    case ErrorCode::kUnavailable:
      return {::grpc::StatusCode::UNAVAILABLE, "Temporarily unavailable"};
    default:
      return {::grpc::StatusCode::INTERNAL, "Internal error"};
  }
}

// Sends deletions until the stream has ended or should end. Returns the status to end it with.
Task<::grpc::Status> Send(Stream& stream, const ReadDeletions& read, std::int64_t position,
                          UserDeletionsLimits limits) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const auto end = Clock::now() + limits.max_age;
  while (stream.IsOpen() && Clock::now() < end) {
    bool is_caught_up = true;
    if (stream.CanWrite()) {
      // A page that is not full may be the last one, but only an empty one shows that it is.
      const auto deletions = co_await read(position);
      if (!deletions) co_return ToStatus(deletions.error());
      is_caught_up = deletions->empty();
      if (!is_caught_up) position = deletions->back().position;
      Response response = ToResponse(*deletions);
      response.set_is_caught_up(is_caught_up);
      stream.Write(std::move(response));
    }
    timer.expires_after(is_caught_up ? limits.interval : kCatchUpInterval);
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_return ::grpc::Status::OK;
}

Task<void> SendUntilEnd(std::shared_ptr<Stream> stream, ReadDeletions read, std::int64_t after,
                        UserDeletionsLimits limits) {
  // Ends the stream if the execution context is destroyed.
  struct Ending {
    Stream& stream;
    ~Ending() { stream.End({::grpc::StatusCode::UNAVAILABLE, "Temporarily unavailable"}); }
  } const ending{*stream};
  try {
    stream->End(co_await Send(*stream, read, after, limits));
  } catch (const std::exception& fault) {
    platform::log::Error("sending deletions failed", {{"reason", fault.what()}});
    stream->End({::grpc::StatusCode::INTERNAL, "Internal error"});
  }
}

}  // namespace

class UserDeletionsService::Impl final : public v1::UserDeletions::CallbackService {
 public:
  Impl(asio::any_io_executor executor, ReadDeletions read, UserDeletionsLimits limits)
      : executor_(std::move(executor)),
        read_(std::move(read)),
        limits_(limits),
        streams_(std::make_shared<OpenStreams<Stream>>(limits.streams)) {}

  ::grpc::ServerWriteReactor<Response>* StreamDeletions(::grpc::CallbackServerContext*,
                                                        const Request* request) override {
    const auto stream = std::make_shared<Stream>();
    if (stream->Open(streams_)) {
      asio::co_spawn(executor_, SendUntilEnd(stream, read_, request->after(), limits_),
                     asio::detached);
    }
    return stream.get();
  }

  void EndStreams() {
    for (const auto& stream : streams_->End()) stream->End(::grpc::Status::OK);
  }

 private:
  const asio::any_io_executor executor_;
  const ReadDeletions read_;
  const UserDeletionsLimits limits_;
  const std::shared_ptr<OpenStreams<Stream>> streams_;
};

UserDeletionsService::UserDeletionsService(asio::any_io_executor executor, ReadDeletions read,
                                           UserDeletionsLimits limits)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(read), limits)) {}

UserDeletionsService::~UserDeletionsService() = default;

::grpc::Service& UserDeletionsService::service() { return *impl_; }

void UserDeletionsService::EndStreams() { impl_->EndStreams(); }

}  // namespace customers
