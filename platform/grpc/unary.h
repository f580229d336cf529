#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "platform/base/task.h"
#include "platform/grpc/pending_calls.h"

namespace platform::grpc {

template <class Response>
struct UnaryReply {
  ::grpc::Status status;
  Response response;  // Meaningful only when `status` is OK.
};

// A unary method of the callback API: &Service::StubInterface::async_interface::Method.
template <class Stub, class Request, class Response>
using UnaryMethod = void (Stub::*)(::grpc::ClientContext*, const Request*, Response*,
                                   std::function<void(::grpc::Status)>);

// Names are in lower case, values are visible ASCII. Empty values are not sent.
using Metadata = std::vector<std::pair<std::string, std::string>>;

namespace internal {

// One call in progress. gRPC's callback owns it, so the context, the request and the response live
// for as long as gRPC uses them, even if the waiting coroutine is destroyed.
template <class Request, class Response, class Handler>
class UnaryCall final : public PendingCall {
 public:
  UnaryCall(Request request, std::chrono::milliseconds timeout, const Metadata& metadata,
            Handler handler)
      : PendingCall(boost::asio::get_associated_executor(handler)),
        request_(std::move(request)),
        handler_(std::move(handler)) {
    context_.set_deadline(std::chrono::system_clock::now() + timeout);
    for (const auto& [name, value] : metadata) {
      if (!value.empty()) context_.AddMetadata(name, value);
    }
  }

  template <class Stub>
  static void Start(const std::shared_ptr<UnaryCall>& call, Stub& stub,
                    UnaryMethod<Stub, Request, Response> method) {
    auto slot = boost::asio::get_associated_cancellation_slot(*call->handler_);
    if (slot.is_connected()) {
      // The slot is cleared before the call is destroyed.
      slot.assign(
          [context = &call->context_](boost::asio::cancellation_type) { context->TryCancel(); });
    }
    Track(call);
    (stub.*method)(&call->context_, &call->request_, &call->response_,
                   [call](::grpc::Status status) {
                     call->status_ = std::move(status);
                     Finish(call);
                   });
  }

 private:
  void Resume() override {
    Handler handler = TakeHandler();
    std::move(handler)(UnaryReply<Response>{std::move(status_), std::move(response_)});
  }

  void Abandon() override {
    context_.TryCancel();
    TakeHandler();
  }

  Handler TakeHandler() {
    Handler handler = *std::exchange(handler_, std::nullopt);
    boost::asio::get_associated_cancellation_slot(handler).clear();
    return handler;
  }

  ::grpc::ClientContext context_;
  Request request_;
  Response response_;
  ::grpc::Status status_;
  std::optional<Handler> handler_;
};

}  // namespace internal

// Makes a unary call, and resumes on the awaiting coroutine's executor:
//
//   auto [status, response] = co_await Unary(
//       *stub->async(), &Greeter::StubInterface::async_interface::Greet, request, 2s);
//
// The call always ends: with DEADLINE_EXCEEDED after `timeout` at the latest, and with CANCELLED if
// the coroutine is cancelled. Destroying the execution context abandons its open calls. `stub` is
// used only before the first suspension; the call itself keeps the channel alive.
template <class Stub, class Request, class Response>
Task<UnaryReply<Response>> Unary(std::type_identity_t<Stub>& stub,
                                 UnaryMethod<Stub, Request, Response> method,
                                 std::type_identity_t<Request> request,
                                 std::chrono::milliseconds timeout, Metadata metadata = {}) {
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&,
                                                 void(UnaryReply<Response>)>(
      [&]<class Handler>(Handler&& handler) {
        using Call = internal::UnaryCall<Request, Response, std::decay_t<Handler>>;
        Call::Start(std::make_shared<Call>(std::move(request), timeout, metadata,
                                           std::forward<Handler>(handler)),
                    stub, method);
      },
      boost::asio::use_awaitable);
}

}  // namespace platform::grpc
