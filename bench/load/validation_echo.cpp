// bench_validation_echo: the services of token validation without a database. Every token is valid
// and belongs to the same user. It shows the cost of the messages alone, over mutual TLS.

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <string>

#include "platform/grpc/server.h"
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
  platform::grpc::ServerOptions options;
  CLI::App app("Serves both token validations and accepts every token, until SIGTERM.");
  app.add_option("--port", options.port, "on 127.0.0.1")->required();
  app.add_option("--ca", options.tls.ca)->required();
  app.add_option("--certificate", options.tls.certificate)->required();
  app.add_option("--key", options.tls.key)->required();
  CLI11_PARSE(app, argc, argv);

  // Signals are blocked before other threads start, which inherit the mask.
  sigset_t signals{};
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  UnaryEcho unary;
  StreamEcho stream;
  platform::grpc::Server server(options);
  const std::array<::grpc::Service*, 2> services{&unary, &stream};
  if (const auto port = server.Start(services); !port) {
    std::cerr << "bench_validation_echo: " << port.error() << '\n';
    return 1;
  }
  int received = 0;
  sigwait(&signals, &received);
  server.Shutdown(std::chrono::milliseconds(100));
  return 0;
}
