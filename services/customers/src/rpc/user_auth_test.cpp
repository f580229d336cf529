#include "services/customers/src/rpc/user_auth.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <stdexcept>
#include <thread>

#include "platform/grpc/server.h"
#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/grpc_peers.h"
#include "proto/auth.grpc.pb.h"

namespace customers {
namespace {

using ::grpc::StatusCode;
using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using namespace std::chrono_literals;
namespace asio = boost::asio;

// A worker like a service's: an event loop with a thread.
class Worker {
 public:
  Worker() : work_(io_->get_executor()), thread_([this] { io_->run(); }) {}
  ~Worker() { Stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  asio::any_io_executor executor() { return io_->get_executor(); }

  bool is_stopped() const { return !io_; }

  // Ends the loop with all its work, and destroys it.
  void Stop() {
    if (io_) {
      io_->stop();
      thread_.join();
      work_.reset();
      io_.reset();
    }
  }

 private:
  std::optional<asio::io_context> io_{std::in_place};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::thread thread_;
};

// Returns the verdict that the token's text requests.
Task<Result<Identity>> Validate(std::string authorization) {
  if (authorization == "Bearer good") {
    co_return Identity{.id = 7, .email = "seven@example.com", .is_admin = true};
  }
  if (authorization == "unauthenticated") {
    co_return std::unexpected(
        Error{.code = ErrorCode::kUnauthenticated,
              .reason = "Invalid authorization token, Signature has expired"});
  }
  if (authorization == "denied") {
    co_return std::unexpected(Error::PermissionDenied("Token is revoked"));
  }
  if (authorization == "unavailable") {
    co_return std::unexpected(Error::Unavailable());
  }
  if (authorization == "not found") {
    co_return std::unexpected(Error{.code = ErrorCode::kNotFound, .reason = "secret detail"});
  }
  if (authorization == "slow") {
    asio::steady_timer timer(co_await asio::this_coro::executor, 30s);
    co_await timer.async_wait(asio::use_awaitable);
  }
  throw std::runtime_error("secret detail");
}

// Returns a function that validates each of several tokens.
ValidateTokens Each(const std::function<Task<Result<Identity>>(std::string)>& validate) {
  return [validate](
             std::vector<std::string_view> authorizations) -> Task<std::vector<Result<Identity>>> {
    std::vector<Result<Identity>> verdicts;
    for (const std::string_view authorization : authorizations) {
      verdicts.push_back(co_await validate(std::string(authorization)));
    }
    co_return verdicts;
  };
}

class UserAuthTest : public ::testing::Test {
 protected:
  ~UserAuthTest() override {
    if (server_ && !worker_.is_stopped()) server_->Shutdown(0ms);
  }

  void Start(const std::vector<std::pair<Worker*, ValidateTokens>>& workers,
             std::size_t max_calls = kMaxUserAuthCalls) {
    std::vector<asio::any_io_executor> executors;
    std::vector<ValidationWorker> validators;
    for (const auto& [worker, validate] : workers) {
      executors.push_back(worker->executor());
      validators.push_back({.executor = worker->executor(), .validate = validate});
    }
    server_.emplace(platform::grpc::ServerOptions{.tls = files_.files()}, std::move(executors));
    const auto port = server_->Start({ValidateTokenMethod(std::move(validators), max_calls)});
    ASSERT_TRUE(port) << port.error();
    port_ = *port;
    Connect();
  }

  // Calls are made over a new connection.
  void Connect() {
    stub_ = UserAuth::NewStub(
        platform::grpc::testing::MakeGrpcChannel("localhost", port_, files_.files()));
  }

  ::grpc::Status Call(const std::string& authorization, std::chrono::milliseconds timeout = 5s) {
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    AuthRequest request;
    request.mutable_token()->set_value(authorization);
    response_.Clear();
    ::grpc::Status status = stub_->ValidateToken(&context, request, &response_);
    forbids_retry_ = context.GetServerTrailingMetadata().contains("grpc-retry-pushback-ms");
    return status;
  }

  platform::grpc::testing::Authority authority_;
  platform::grpc::testing::TlsDirectory files_{authority_.certificate(), authority_.Issue()};
  Worker worker_;
  Worker second_worker_;
  std::optional<platform::grpc::Server> server_;
  std::uint16_t port_ = 0;
  std::unique_ptr<UserAuth::Stub> stub_;
  AuthResponse response_;
  bool forbids_retry_ = false;
};

TEST_F(UserAuthTest, TellsWhoseTokenItIs) {
  Start({{&worker_, Each(Validate)}});
  const ::grpc::Status status = Call("Bearer good");
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response_.payload().user_id(), 7);
  EXPECT_EQ(response_.payload().email(), "seven@example.com");
  EXPECT_TRUE(response_.payload().is_admin());
}

struct Row {
  std::string authorization;
  StatusCode code;
  std::string message;
};

class UserAuthFailureTest : public UserAuthTest, public ::testing::WithParamInterface<Row> {};

TEST_P(UserAuthFailureTest, EndsWithTheWiresStatus) {
  Start({{&worker_, Each(Validate)}});
  const ::grpc::Status status = Call(GetParam().authorization);
  EXPECT_EQ(status.error_code(), GetParam().code);
  EXPECT_EQ(status.error_message(), GetParam().message);
  EXPECT_EQ(forbids_retry_, status.error_code() == StatusCode::UNAVAILABLE);
}

INSTANTIATE_TEST_SUITE_P(
    Table, UserAuthFailureTest,
    ::testing::Values(Row{"unauthenticated", StatusCode::INVALID_ARGUMENT,
                          "Invalid authorization token, Signature has expired"},
                      Row{"denied", StatusCode::INVALID_ARGUMENT, "Token is revoked"},
                      Row{"unavailable", StatusCode::UNAVAILABLE, "Temporarily unavailable"},
                      Row{"not found", StatusCode::INTERNAL, "Internal error"},
                      Row{"throws", StatusCode::INTERNAL, "Internal error"}),
    [](const auto& info) {
      std::string name = info.param.authorization;
      std::erase(name, ' ');
      return name;
    });

TEST_F(UserAuthTest, EachConnectionHasItsWorker) {
  std::array<std::atomic<int>, 2> calls{};
  const auto count = [&calls](std::size_t worker) {
    return Each([&calls, worker](std::string authorization) {
      ++calls.at(worker);
      return Validate(std::move(authorization));
    });
  };
  Start({{&worker_, count(0)}, {&second_worker_, count(1)}});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Call("Bearer good").ok());
  EXPECT_EQ(calls[0] + calls[1], 10);
  EXPECT_EQ(calls[0] * calls[1], 0);
  // The next connection goes to the worker that has none.
  const auto first = std::move(stub_);
  Connect();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Call("Bearer good").ok());
  EXPECT_EQ(calls[0], 10);
  EXPECT_EQ(calls[1], 10);
}

TEST_F(UserAuthTest, RefusesCallsOverTheLimitUntilOneEnds) {
  std::atomic<bool> started = false;
  std::atomic<bool> finish = false;
  Start({{&worker_, Each([&](const std::string&) -> Task<Result<Identity>> {
            started = true;
            asio::steady_timer timer(co_await asio::this_coro::executor);
            while (!finish) {
              timer.expires_after(5ms);
              co_await timer.async_wait(asio::use_awaitable);
            }
            co_return Identity{};
          })}},
        1);
  ::grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 20s);
  AuthResponse response;
  std::jthread caller(
      [&] { EXPECT_TRUE(stub_->ValidateToken(&context, AuthRequest{}, &response).ok()); });
  while (!started) {
    std::this_thread::yield();
  }
  EXPECT_EQ(Call("Bearer good").error_code(), StatusCode::RESOURCE_EXHAUSTED);
  finish = true;
  caller.join();
  EXPECT_TRUE(Call("Bearer good").ok());
}

TEST_F(UserAuthTest, AWorkerThatIsGoneLeavesNoCallOpen) {
  Start({{&worker_, Each(Validate)}});
  StatusCode code = StatusCode::OK;
  std::jthread caller([&] { code = Call("slow", 20s).error_code(); });
  std::this_thread::sleep_for(200ms);
  worker_.Stop();
  caller.join();
  EXPECT_EQ(code, StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace customers
