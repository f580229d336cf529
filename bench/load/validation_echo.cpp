// bench_validation_echo: the services of token validation without a database. Every token is valid
// and belongs to the same user. It shows the cost of the messages alone, over mutual TLS.

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdint>
#include <string>

#include "platform/grpc/testing/grpc_peers.h"
#include "proto/auth.grpc.pb.h"
#include "proto/customers/v1/token_validation.grpc.pb.h"

namespace {

namespace v1 = customers::v1;

constexpr int kUserId = 4321;
constexpr const char* kEmail = "user4321@example.com";

class UnaryEcho final : public UserAuth::CallbackService {
  ::grpc::ServerUnaryReactor* ValidateToken(::grpc::CallbackServerContext* context,
                                            const AuthRequest* /*request*/,
                                            AuthResponse* response) override {
    Payload& payload = *response->mutable_payload();
    payload.set_user_id(kUserId);
    payload.set_email(kEmail);
    ::grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(::grpc::Status::OK);
    return reactor;
  }
};

class EchoStream final
    : public ::grpc::ServerBidiReactor<v1::ValidateTokensRequest, v1::ValidateTokensResponse> {
 public:
  EchoStream() { StartRead(&request_); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(::grpc::Status::OK);
      return;
    }
    response_.clear_verdicts();
    for (const v1::TokenQuery& query : request_.queries()) {
      v1::Verdict& verdict = *response_.add_verdicts();
      verdict.set_id(query.id());
      verdict.mutable_identity()->set_user_id(kUserId);
      verdict.mutable_identity()->set_email(kEmail);
    }
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (ok)
      StartRead(&request_);
    else
      Finish(::grpc::Status::OK);
  }
  void OnDone() override { delete this; }

  v1::ValidateTokensRequest request_;
  v1::ValidateTokensResponse response_;
};

class StreamEcho final : public v1::TokenValidation::CallbackService {
  ::grpc::ServerBidiReactor<v1::ValidateTokensRequest, v1::ValidateTokensResponse>* ValidateTokens(
      ::grpc::CallbackServerContext* /*context*/) override {
    return new EchoStream;
  }
};

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  platform::grpc::TlsFiles tls;
  CLI::App app("Serves both token validations and accepts every token, until SIGTERM.");
  app.add_option("--port", port, "on 127.0.0.1")->required();
  app.add_option("--ca", tls.ca)->required();
  app.add_option("--certificate", tls.certificate)->required();
  app.add_option("--key", tls.key)->required();
  CLI11_PARSE(app, argc, argv);

  // Signals are blocked before other threads start, which inherit the mask.
  sigset_t signals{};
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  UnaryEcho unary;
  StreamEcho stream;
  const std::array<::grpc::Service*, 2> services{&unary, &stream};
  const platform::grpc::testing::GrpcServer server(tls, services, port);
  int received = 0;
  sigwait(&signals, &received);
  return 0;
}
