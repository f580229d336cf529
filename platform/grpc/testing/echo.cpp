#include "platform/grpc/testing/echo.h"

#include <grpcpp/client_context.h>

namespace platform::grpc::testing {
namespace {

class SilentReactor final : public ::grpc::ServerUnaryReactor {
  void OnCancel() override { Finish(::grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }
};

}  // namespace

::grpc::ServerUnaryReactor* EchoServer::Echo(::grpc::CallbackServerContext* context,
                                             const EchoRequest* request, EchoReply* reply) {
  if (request->silent()) {
    return new SilentReactor();
  }
  reply->set_text(request->text());
  auto* reactor = context->DefaultReactor();
  reactor->Finish(request->fail_with() == 0
                      ? ::grpc::Status::OK
                      : ::grpc::Status(static_cast<::grpc::StatusCode>(request->fail_with()),
                                       "failed as asked"));
  return reactor;
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
