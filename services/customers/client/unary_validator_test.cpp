#include "services/customers/client/unary_validator.h"

#include <grpcpp/server_context.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <optional>
#include <thread>

#include "platform/grpc/channel.h"
#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/grpc_peers.h"
#include "platform/grpc/testing/proxy.h"
#include "proto/auth.grpc.pb.h"

namespace customers::client {
namespace {

using ::grpc::StatusCode;
using platform::ErrorCode;
using platform::Result;
using namespace std::chrono_literals;
namespace asio = boost::asio;

// The customers service. It returns the verdict that a token's text requests.
class FakeUserAuth final : public UserAuth::CallbackService {
 public:
  ::grpc::ServerUnaryReactor* ValidateToken(::grpc::CallbackServerContext* context,
                                            const AuthRequest* request,
                                            AuthResponse* response) override {
    const std::string& token = request->token().value();
    const int call = ++calls_;
    if (token == "silent" || (token == "silent at first" && call == 1)) {
      return new Silent();
    }
    ::grpc::Status status;
    if (token.starts_with("fail ")) {
      // The customers service does this when it is busy.
      context->AddTrailingMetadata("grpc-retry-pushback-ms", "-1");
      status = {static_cast<StatusCode>(std::stoi(token.substr(5))), "Token is revoked"};
    } else {
      response->mutable_payload()->set_user_id(7);
      response->mutable_payload()->set_email(token == "origin" ? OriginOf(*context) : token);
      response->mutable_payload()->set_is_admin(true);
    }
    auto* reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  int calls() const { return calls_; }

 private:
  static std::string OriginOf(const ::grpc::CallbackServerContext& context) {
    std::string origin;
    for (const char* name : {"x-request-id", "traceparent"}) {
      const auto [begin, end] = context.client_metadata().equal_range(name);
      for (auto field = begin; field != end; ++field) {
        origin +=
            std::string(name) + "=" + std::string(field->second.data(), field->second.size()) + " ";
      }
    }
    return origin;
  }

 private:
  class Silent final : public ::grpc::ServerUnaryReactor {
    void OnCancel() override { Finish(::grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
  };

  std::atomic<int> calls_ = 0;
};

class UnaryValidatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Serve();
    validator_ = Connect(port_);
  }

  void Serve() {
    const std::array<::grpc::Service*, 1> services{&customers_};
    server_.emplace(files_.files(), services, port_);
    port_ = server_->port();
  }

  std::unique_ptr<UnaryValidator> Connect(std::uint16_t port) {
    return std::make_unique<UnaryValidator>(std::make_shared<platform::grpc::Channel>(
        io_.get_executor(),
        platform::grpc::ChannelOptions{.hosts = {{"localhost", port}}, .tls = files_.files()}));
  }

  Result<Caller> Validate(UnaryValidator& validator, std::string_view authorization,
                          Origin origin = {}, std::chrono::milliseconds timeout = 2s) {
    io_.restart();
    auto result = asio::co_spawn(
        io_, validator.Validate(authorization, origin, UnaryValidator::Clock::now() + timeout),
        asio::use_future);
    while (result.wait_for(0s) != std::future_status::ready) io_.run_one();
    return result.get();
  }

  Result<Caller> Validate(std::string_view authorization) {
    return Validate(*validator_, authorization);
  }

  // The probe of TokenValidator.
  bool IsReachable() {
    const auto verdict = Validate(*validator_, "", {}, 1s);
    return verdict || verdict.error().code != ErrorCode::kUnavailable;
  }

  FakeUserAuth customers_;
  platform::grpc::testing::Authority authority_;
  platform::grpc::testing::TlsDirectory files_{authority_.certificate(), authority_.Issue()};
  std::optional<platform::grpc::testing::GrpcServer> server_;
  asio::io_context io_;
  std::uint16_t port_ = 0;
  std::unique_ptr<UnaryValidator> validator_;
};

TEST_F(UnaryValidatorTest, PassesTheOriginOn) {
  const auto passed_on = [&](Origin origin) {
    return Validate(*validator_, "origin", origin).value_or(Caller{}).email;
  };
  EXPECT_EQ(passed_on({.request_id = "request-7", .traceparent = "00-ab-cd-01"}),
            "x-request-id=request-7 traceparent=00-ab-cd-01 ");
  EXPECT_EQ(passed_on({}), "");
}

TEST_F(UnaryValidatorTest, PassesTheHeaderOnAsItIs) {
  const auto caller = Validate("Bearer  a.b.c ");
  ASSERT_TRUE(caller);
  EXPECT_EQ(*caller, (Caller{.id = 7, .email = "Bearer  a.b.c ", .is_admin = true}));
}

TEST_F(UnaryValidatorTest, ReturnsTheReasonOfARefusal) {
  const auto caller = Validate("fail 3");
  ASSERT_FALSE(caller);
  EXPECT_EQ(caller.error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(caller.error().reason, "Token is revoked");
}

TEST_F(UnaryValidatorTest, RejectsAHeaderThatCannotBeATokenWithoutACall) {
  for (const std::string_view header : {"Bearer \xff\xfe", "\xe9"}) {
    const auto caller = Validate(header);
    ASSERT_FALSE(caller);
    EXPECT_EQ(caller.error().code, ErrorCode::kPermissionDenied);
    EXPECT_EQ(caller.error().reason, "Invalid authorization header");
  }
  EXPECT_EQ(customers_.calls(), 0);
}

TEST_F(UnaryValidatorTest, SendsAnyText) {
  EXPECT_EQ(Validate("Bearer t\xc3\xb6ken").value_or(Caller{}).email, "Bearer t\xc3\xb6ken");
}

// The client fails closed, so no other status counts as a verdict.
TEST_F(UnaryValidatorTest, AnyOtherStatusIsUnavailable) {
  for (int code = 1; code <= 16; ++code) {
    if (code == StatusCode::INVALID_ARGUMENT) {
      continue;
    }
    const auto caller = Validate("fail " + std::to_string(code));
    ASSERT_FALSE(caller) << code;
    EXPECT_EQ(caller.error().code, ErrorCode::kUnavailable) << code;
    EXPECT_EQ(caller.error().reason, "") << code;
    EXPECT_TRUE(caller.error().retry_after) << code;
  }
}

TEST_F(UnaryValidatorTest, ACallToAnOverloadedServerIsNotRepeated) {
  EXPECT_FALSE(Validate("fail 14"));
  EXPECT_EQ(customers_.calls(), 1);
}

TEST_F(UnaryValidatorTest, RepeatedOnceWhenTheConnectionBreaks) {
  platform::grpc::testing::Proxy proxy(port_);
  validator_ = Connect(proxy.port());
  std::jthread breaker([&] {
    while (customers_.calls() == 0) {
      std::this_thread::sleep_for(1ms);
    }
    proxy.BreakConnections();
  });
  const auto caller = Validate("silent at first");
  EXPECT_TRUE(caller);
  EXPECT_EQ(customers_.calls(), 2);
}

TEST_F(UnaryValidatorTest, ASilentServerIsUnavailableAtTheDeadline) {
  const auto start = std::chrono::steady_clock::now();
  const auto caller = Validate(*validator_, "silent", {}, 300ms);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1500ms);
  ASSERT_FALSE(caller);
  EXPECT_EQ(caller.error().code, ErrorCode::kUnavailable);
}

TEST_F(UnaryValidatorTest, ComesBackAfterARestartWithinTwoSeconds) {
  ASSERT_TRUE(Validate("Bearer x"));
  EXPECT_TRUE(IsReachable());
  server_.reset();
  const auto down_until = std::chrono::steady_clock::now() + 2s;
  while (std::chrono::steady_clock::now() < down_until) {
    const auto caller = Validate("Bearer x");
    ASSERT_FALSE(caller);
    EXPECT_EQ(caller.error().code, ErrorCode::kUnavailable);
    EXPECT_FALSE(IsReachable());
    std::this_thread::sleep_for(10ms);
  }
  Serve();
  // A probe alone is enough to connect.
  const auto end = std::chrono::steady_clock::now() + 2s;
  while (!IsReachable() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_TRUE(IsReachable());
  EXPECT_TRUE(Validate("Bearer x"));
}

}  // namespace
}  // namespace customers::client
