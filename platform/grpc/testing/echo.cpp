#include "platform/grpc/testing/echo.h"

#include <grpcpp/client_context.h>

#include <expected>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace platform::grpc::testing {
namespace {

class SilentReactor final : public ::grpc::ServerUnaryReactor {
  void OnCancel() override { Finish(::grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }
};

::grpc::Status AsAsked(const EchoRequest& request) {
  if (request.fail_with() == 0) return ::grpc::Status::OK;
  return {static_cast<::grpc::StatusCode>(request.fail_with()), "failed as asked"};
}

class Repetition final : public ::grpc::ServerWriteReactor<EchoReply> {
 public:
  Repetition(const EchoRequest& request, std::atomic<int>& sent) : request_(request), sent_(sent) {
    reply_.set_text(request.text());
    Continue();
  }

 private:
  void Continue() {
    const std::scoped_lock lock(mutex_);
    if (is_finished_) return;
    if (request_.times() == 0 || count_ < request_.times()) {
      ++count_;
      StartWrite(&reply_);
    } else if (!request_.silent()) {
      is_finished_ = true;
      Finish(AsAsked(request_));
    }
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return;
    ++sent_;
    Continue();
  }
  void OnCancel() override {
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(is_finished_, true)) Finish(::grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

  const EchoRequest request_;
  std::atomic<int>& sent_;
  EchoReply reply_;
  std::mutex mutex_;
  int count_ = 0;
  bool is_finished_ = false;
};

Status StatusOf(const EchoRequest& request) {
  if (request.fail_with() == 0) return {};
  return {static_cast<StatusCode>(request.fail_with()), "failed as asked"};
}

// Counts an open call.
struct Open {
  explicit Open(std::atomic<int>& its_count) : count(its_count) { ++count; }
  ~Open() { --count; }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;

  std::atomic<int>& count;
};

Task<std::expected<EchoReply, Status>> Echo(EchoCounts& counts, ServerCall& call,
                                            const EchoRequest& request) {
  const Open open(counts.open);
  while (request.silent() && !call.is_closed()) co_await call.Wait(std::chrono::milliseconds{5});
  if (Status status = StatusOf(request); !status.ok()) co_return std::unexpected(std::move(status));
  if (request.text() == "throw") throw std::runtime_error("secret detail");
  EchoReply reply;
  reply.set_text(request.text() == "metadata" ? std::string(call.Metadata("x-test"))
                                              : request.text());
  co_return reply;
}

Task<Status> Repeat(EchoCounts& counts, ServerCall& call) {
  const Open open(counts.open);
  const auto bytes = co_await call.Read();
  EchoRequest request;
  if (!bytes || !request.ParseFromString(*bytes)) co_return Status{StatusCode::kInternal, ""};
  EchoReply reply;
  reply.set_text(request.text());
  for (int i = 0; (request.times() == 0 || i < request.times()) && !call.is_closed() &&
                  !call.is_shutting_down();
       ++i) {
    co_await call.SendAndWait(reply);
    ++counts.sent;
  }
  while (request.silent() && !call.is_closed() && !call.is_shutting_down()) {
    co_await call.Wait(std::chrono::hours{1});
  }
  if (call.is_shutting_down()) co_return Status{StatusCode::kUnavailable, "Shutting down"};
  co_return StatusOf(request);
}

}  // namespace

std::vector<Method> EchoMethods(EchoCounts& counts, std::size_t max_calls) {
  std::vector<Method> methods;
  methods.push_back(Unary<EchoRequest, EchoReply>(
      kEcho, max_calls, [&counts](ServerCall& call, const EchoRequest& request) {
        return Echo(counts, call, request);
      }));
  methods.push_back({.path = kRepeat,
                     .max_calls = max_calls,
                     .serve = [&counts](ServerCall& call) { return Repeat(counts, call); },
                     .is_streaming = true});
  return methods;
}

::grpc::ServerUnaryReactor* EchoServer::Echo(::grpc::CallbackServerContext* context,
                                             const EchoRequest* request, EchoReply* reply) {
  {
    const std::scoped_lock lock(mutex_);
    clients_.insert(context->peer());
  }
  if (request->silent()) {
    return new SilentReactor();
  }
  reply->set_text(request->text());
  auto* reactor = context->DefaultReactor();
  reactor->Finish(AsAsked(*request));
  return reactor;
}

::grpc::ServerWriteReactor<EchoReply>* EchoServer::Repeat(::grpc::CallbackServerContext*,
                                                          const EchoRequest* request) {
  return new Repetition(*request, sent);
}

::grpc::Status CallEcho(const std::shared_ptr<::grpc::Channel>& channel, const std::string& text,
                        std::chrono::milliseconds timeout, std::string* peer_name) {
  const auto stub = EchoService::NewStub(channel);
  ::grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  EchoRequest request;
  request.set_text(text);
  EchoReply reply;
  ::grpc::Status status = stub->Echo(&context, request, &reply);
  if (status.ok() && reply.text() != text) {
    return {::grpc::StatusCode::DATA_LOSS, "another text came back"};
  }
  if (status.ok() && peer_name != nullptr) {
    const auto names = context.auth_context()->FindPropertyValues("x509_common_name");
    *peer_name = names.empty() ? "" : std::string(names.front().data(), names.front().size());
  }
  return status;
}

}  // namespace platform::grpc::testing
