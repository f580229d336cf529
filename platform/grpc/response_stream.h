#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/status.h>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "platform/base/task.h"
#include "platform/grpc/pending_calls.h"

namespace platform::grpc {

// A server-streaming method of the callback API: &Service::StubInterface::async_interface::Method.
template <class Stub, class Request, class Response>
using StreamMethod = void (Stub::*)(::grpc::ClientContext*, const Request*,
                                    ::grpc::ClientReadReactor<Response>*);

namespace internal {

// A coroutine that waits for a message.
template <class Handler>
class PendingRead final : public PendingCall {
 public:
  explicit PendingRead(Handler handler)
      : PendingCall(boost::asio::get_associated_executor(handler)), handler_(std::move(handler)) {}

 private:
  void Resume() override {
    Handler handler = *std::exchange(handler_, std::nullopt);
    std::move(handler)();
  }
  void Abandon() override { const auto handler = std::exchange(handler_, std::nullopt); }

  std::optional<Handler> handler_;
};

// The call of a ResponseStream. gRPC keeps it alive until its end. Reads are started outside of
// gRPC's reactions, which a hold permits; it is removed when no more reads can follow. gRPC never
// invokes a reaction from inside StartRead(), so that is called with `mutex_` held.
template <class Response>
class StreamCall final : public ::grpc::ClientReadReactor<Response> {
 public:
  template <class Stub, class Request>
  static std::shared_ptr<StreamCall> Start(Stub& stub, StreamMethod<Stub, Request, Response> method,
                                           const Request& request,
                                           std::chrono::milliseconds max_age) {
    const auto call = std::make_shared<StreamCall>();
    call->self_ = call;
    call->context_.set_deadline(std::chrono::system_clock::now() + max_age);
    (stub.*method)(&call->context_, &request, call.get());
    call->AddHold();
    call->StartCall();
    return call;
  }

  // Resumes `waiting` when there is a message to take, or the stream has ended.
  void Read(std::shared_ptr<PendingCall> waiting) {
    std::unique_lock lock(mutex_);
    if (status_) {
      lock.unlock();
      PendingCall::Finish(waiting);
      return;
    }
    waiting_ = std::move(waiting);
    if (may_read_) this->StartRead(&incoming_);
  }

  std::optional<Response> Take() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(response_, std::nullopt);
  }

  // Returns the status of a stream that has ended.
  ::grpc::Status status() const {
    const std::scoped_lock lock(mutex_);
    return status_.value_or(::grpc::Status::OK);
  }

  void Cancel() { context_.TryCancel(); }

  // Cancels the call and waits until gRPC no longer uses it. No read may follow.
  void Close() {
    context_.TryCancel();
    {
      const std::scoped_lock lock(mutex_);
      is_closed_ = true;
      // A read that is under way removes the hold itself.
      if (waiting_ == nullptr) EndReading();
    }
    has_ended_.wait();
  }

 private:
  void OnReadDone(bool ok) override {
    std::unique_lock lock(mutex_);
    if (!ok || is_closed_) {
      EndReading();
      return;
    }
    response_ = std::exchange(incoming_, {});
    const auto waiting = std::exchange(waiting_, nullptr);
    lock.unlock();
    PendingCall::Finish(waiting);
  }

  void OnDone(const ::grpc::Status& status) override {
    std::shared_ptr<StreamCall> self = std::move(self_);
    std::promise<void> ended = std::move(ended_);
    std::unique_lock lock(mutex_);
    status_ = status;
    const auto waiting = std::exchange(waiting_, nullptr);
    lock.unlock();
    if (waiting != nullptr) PendingCall::Finish(waiting);
    self.reset();
    ended.set_value();
  }

  // Call it with `mutex_` held.
  void EndReading() {
    if (std::exchange(may_read_, false)) this->RemoveHold();
  }

  ::grpc::ClientContext context_;
  std::shared_ptr<StreamCall> self_;  // Keeps the call alive until OnDone().
  std::promise<void> ended_;
  const std::future<void> has_ended_ = ended_.get_future();
  Response incoming_;  // The message being read.

  mutable std::mutex mutex_;
  std::shared_ptr<PendingCall> waiting_;
  std::optional<Response> response_;
  std::optional<::grpc::Status> status_;  // Set when the stream has ended.
  bool may_read_ = true;
  bool is_closed_ = false;
};

}  // namespace internal

// A server-streaming call whose messages one coroutine reads, on its own executor:
//
//   ResponseStream ticks(*stub->async(), &Clock::StubInterface::async_interface::Tick, request,
//   1h); while (const auto tick = co_await ticks.Next(5s)) … if (!ticks.status().ok()) …
//
// It reads a message only when it is asked for one, so the server waits for a slow reader (HTTP/2
// flow control). Destroying the execution context abandons a coroutine that waits. The destructor
// cancels the call, and blocks for a moment until gRPC no longer uses it.
template <class Response>
class ResponseStream {
 public:
  // Starts the call, which ends with DEADLINE_EXCEEDED after `max_age` at the latest. `stub` is
  // used only here.
  template <class Stub, class Request>
  ResponseStream(std::type_identity_t<Stub>& stub, StreamMethod<Stub, Request, Response> method,
                 const std::type_identity_t<Request>& request, std::chrono::milliseconds max_age)
      : call_(internal::StreamCall<Response>::template Start<Stub, Request>(stub, method, request,
                                                                            max_age)) {}
  ~ResponseStream() { call_->Close(); }
  ResponseStream(const ResponseStream&) = delete;
  ResponseStream& operator=(const ResponseStream&) = delete;

  // Returns the next message, or nothing if the stream has ended. Cancels the call if nothing
  // arrives within `timeout`.
  Task<std::optional<Response>> Next(std::chrono::milliseconds timeout) {
    const auto call = call_;
    boost::asio::steady_timer silence(co_await boost::asio::this_coro::executor, timeout);
    silence.async_wait([call](const boost::system::error_code& error) {
      if (!error) call->Cancel();
    });
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
        [&]<class Handler>(Handler&& handler) {
          const auto waiting = std::make_shared<internal::PendingRead<std::decay_t<Handler>>>(
              std::forward<Handler>(handler));
          internal::PendingCall::Track(waiting);
          call->Read(waiting);
        },
        boost::asio::use_awaitable);
    co_return call->Take();
  }

  // Returns the status of the stream after Next() has returned nothing: CANCELLED if nothing has
  // arrived for too long.
  ::grpc::Status status() const { return call_->status(); }

 private:
  const std::shared_ptr<internal::StreamCall<Response>> call_;
};

}  // namespace platform::grpc
