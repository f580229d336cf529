#include "platform/grpc/testing/echo.h"

#include <grpcpp/client_context.h>

#include <mutex>
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

}  // namespace

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
