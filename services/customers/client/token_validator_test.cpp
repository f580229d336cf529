#include "services/customers/client/token_validator.h"

#include <grpcpp/server_context.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <optional>
#include <ranges>
#include <thread>

#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/grpc_peers.h"
#include "platform/grpc/testing/proxy.h"
#include "proto/auth.grpc.pb.h"
#include "proto/customers/v1/token_validation.grpc.pb.h"

namespace customers::client {
namespace {

using platform::ErrorCode;
using platform::Result;
using platform::grpc::testing::Proxy;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr Origin kOrigin = {
    .request_id = "request-7",
    .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};

// The customers service without the stream.
class FakeUnary final : public UserAuth::Service {
 public:
  ::grpc::Status ValidateToken(::grpc::ServerContext* context, const AuthRequest* request,
                               AuthResponse* response) override {
    ++calls;
    time_left = context->deadline() - std::chrono::system_clock::now();
    const std::string& text = request->token().value();
    while (text.starts_with("silent") && !context->IsCancelled()) std::this_thread::sleep_for(5ms);
    response->mutable_payload()->set_user_id(7);
    response->mutable_payload()->set_email(request->token().value());
    return ::grpc::Status::OK;
  }

  std::atomic<int> calls = 0;
  // The time that the latest call had until its deadline.
  std::atomic<std::chrono::system_clock::duration> time_left{};
};

// The customers service with the stream. It returns the verdict that a token's text requests.
class FakeStream final : public v1::TokenValidation::Service {
 public:
  ::grpc::Status ValidateTokens(
      ::grpc::ServerContext*,
      ::grpc::ServerReaderWriter<v1::ValidateTokensResponse, v1::ValidateTokensRequest>* stream)
      override {
    const int number = ++streams;
    v1::ValidateTokensRequest request;
    while (stream->Read(&request)) {
      ++messages;
      v1::ValidateTokensResponse response;
      // In reverse order, because any order is permitted.
      for (const v1::TokenQuery& query : std::views::reverse(request.queries())) {
        const std::string& text = query.authorization();
        ++queries;
        if (text == "silent after a while") {
          std::this_thread::sleep_for(400ms);
          return {::grpc::StatusCode::UNIMPLEMENTED, ""};
        }
        if (text.starts_with("silent") && (text != "silent at first" || number == 1)) continue;
        if (text == "end in order at first" && number == 1) return ::grpc::Status::OK;
        if (text == "end" || (text == "end the second" && number == 2)) {
          return {::grpc::StatusCode::INTERNAL, ""};
        }
        while (text == "held" && is_holding) std::this_thread::sleep_for(1ms);
        if (text == "pause") std::this_thread::sleep_for(1200ms);
        v1::Verdict& verdict = *response.add_verdicts();
        verdict.set_id(text == "wrong id" ? query.id() + 1000 : query.id());
        if (text.empty() || text == "revoked" || text.starts_with("not ")) {
          verdict.mutable_refusal()->set_message("Token is revoked");
        } else if (text == "busy") {
          verdict.mutable_unavailable()->set_retry_after_seconds(3);
        } else if (text != "newer server") {
          verdict.mutable_identity()->set_user_id(8);
          verdict.mutable_identity()->set_email(
              text == "origin" ? query.request_id() + " " + query.traceparent() : text);
          verdict.mutable_identity()->set_is_admin(true);
        }
        if (text == "twice") *response.add_verdicts() = response.verdicts(0);
      }
      stream->Write(response);
    }
    ++ended;
    return ::grpc::Status::OK;
  }

  std::atomic<int> streams = 0;
  std::atomic<int> ended = 0;  // Streams that the client has half-closed.
  std::atomic<int> messages = 0;
  std::atomic<int> queries = 0;
  std::atomic<bool> is_holding = true;
};

class TokenValidatorTest : public ::testing::Test {
 protected:
  ~TokenValidatorTest() override {
    if (validator_) Disconnect();
    work_.reset();
    worker_.join();
  }

  // Starts the customers service, on the same port each time.
  void Serve(std::vector<::grpc::Service*> services) {
    server_.emplace(files_.files(), services, port_);
    port_ = server_->port();
  }

  void StopServing() { server_.reset(); }

  // Connects to one replica, and keeps the first stream.
  void Connect(TokenValidatorOptions options = {}, std::uint16_t port = 0) {
    options.stream_turn = 1h;
    options.replicas = {{"localhost", port == 0 ? port_ : port}};
    ConnectTo(std::move(options));
  }

  void ConnectTo(TokenValidatorOptions options) {
    options.tls = files_.files();
    OnWorker([&] { validator_ = std::make_unique<TokenValidator>(io_.get_executor(), options); });
  }

  void Disconnect() {
    OnWorker([&] { validator_.reset(); });
  }

  std::future<Result<Caller>> Start(std::string authorization) {
    return asio::co_spawn(
        io_,
        [](TokenValidator& validator, std::string text) -> platform::Task<Result<Caller>> {
          co_return co_await validator.Validate(text, kOrigin);
        }(*validator_, std::move(authorization)),
        asio::use_future);
  }

  Result<Caller> Validate(std::string authorization) {
    return Start(std::move(authorization)).get();
  }

  bool IsReachable() {
    return asio::co_spawn(io_, validator_->IsReachable(), asio::use_future).get();
  }

  void OnWorker(const std::function<void()>& task) {
    asio::post(io_, asio::use_future(task)).get();
  }

  static void ExpectUnavailable(const Result<Caller>& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
  }

  // Returns whether the condition becomes true within half a minute.
  static bool Eventually(const std::function<bool()>& condition) {
    const auto end = Clock::now() + 30s;
    while (!condition()) {
      if (Clock::now() > end) return false;
      std::this_thread::sleep_for(5ms);
    }
    return true;
  }

  struct Fault : std::exception {};

  void Work() {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const Fault&) {
        ++faults_;
      }
    }
  }

  platform::grpc::testing::Authority authority_;
  platform::grpc::testing::TlsDirectory files_{authority_.certificate(), authority_.Issue()};
  FakeUnary unary_;
  FakeStream stream_;
  std::uint16_t port_ = 0;
  std::optional<platform::grpc::testing::GrpcServer> server_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::atomic<int> faults_ = 0;
  std::thread worker_{[this] { Work(); }};
  std::unique_ptr<TokenValidator> validator_;
};

TEST_F(TokenValidatorTest, EachOutcomeOverOneStream) {
  Serve({&unary_, &stream_});
  Connect();
  EXPECT_EQ(Validate("Bearer  a.b.c "),
            (Caller{.id = 8, .email = "Bearer  a.b.c ", .is_admin = true}));

  const auto revoked = Validate("revoked");
  ASSERT_FALSE(revoked);
  EXPECT_EQ(revoked.error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(revoked.error().reason, "Token is revoked");

  const auto busy = Validate("busy");
  ExpectUnavailable(busy);
  EXPECT_EQ(busy.error().retry_after, 3s);
  ExpectUnavailable(Validate("newer server"));

  EXPECT_TRUE(IsReachable());
  EXPECT_EQ(stream_.streams, 1);
  EXPECT_EQ(unary_.calls, 0);
}

TEST_F(TokenValidatorTest, PassesTheOriginOn) {
  Serve({&stream_});
  Connect();
  EXPECT_EQ(Validate("origin").value_or(Caller{}).email,
            "request-7 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
}

TEST_F(TokenValidatorTest, WhatCannotBeATokenIsNotSent) {
  Serve({&stream_});
  Connect();
  for (const std::string& header : {std::string(), std::string(70'000, 'x')}) {
    const auto caller = Validate(header);
    ASSERT_FALSE(caller);
    EXPECT_EQ(caller.error().reason, "Invalid authorization header");
  }
  EXPECT_EQ(stream_.queries, 0);
}

TEST_F(TokenValidatorTest, AnyOtherBytesAreSent) {
  Serve({&stream_});
  Connect();
  const auto caller = Validate("not \xe9");
  ASSERT_FALSE(caller);
  EXPECT_EQ(caller.error().reason, "Token is revoked");
}

TEST_F(TokenValidatorTest, ValidationsStartedTogetherTravelTogether) {
  constexpr int kCount = 2000;
  Serve({&stream_});
  Connect();
  std::vector<std::future<Result<Caller>>> verdicts;
  OnWorker([&] {
    for (int i = 0; i < kCount; ++i) verdicts.push_back(Start("user " + std::to_string(i)));
  });
  for (int i = 0; i < kCount; ++i) {
    const auto caller = verdicts[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(caller);
    EXPECT_EQ(caller->email, "user " + std::to_string(i));
  }
  // No message has more than 1024.
  EXPECT_LE(stream_.messages, 10);
}

TEST_F(TokenValidatorTest, LargeHeadersTravelInSeveralMessages) {
  Serve({&stream_});
  Connect({.max_in_flight_bytes = std::size_t{8} << 20});
  std::vector<std::future<Result<Caller>>> verdicts;
  const std::string padding(60'000, 'x');
  OnWorker([&] {
    for (int i = 0; i < 100; ++i) verdicts.push_back(Start(std::to_string(i) + padding));
  });
  // The fake's verdicts repeat the tokens, so they may be too long for a message.
  for (auto& verdict : verdicts) verdict.wait();
  EXPECT_GE(stream_.queries, 100);
}

TEST_F(TokenValidatorTest, UnaryWhereThereIsNoStreamUntilThereIs) {
  Serve({&unary_});
  Connect({.unary_period = 300ms});
  EXPECT_EQ(Validate("one").value_or(Caller{}).id, 7);
  EXPECT_EQ(Validate("two").value_or(Caller{}).id, 7);
  EXPECT_TRUE(IsReachable());
  EXPECT_EQ(unary_.calls, 3);

  StopServing();
  Serve({&unary_, &stream_});
  EXPECT_TRUE(Eventually([&] { return Validate("three").value_or(Caller{}).id == 8; }));
  const int calls = unary_.calls;
  EXPECT_EQ(Validate("four").value_or(Caller{}).id, 8);
  EXPECT_EQ(unary_.calls, calls);
}

TEST_F(TokenValidatorTest, UnaryWhereTheStreamIsGone) {
  Serve({&unary_, &stream_});
  Connect();
  EXPECT_EQ(Validate("one").value_or(Caller{}).id, 8);
  StopServing();
  Serve({&unary_});
  EXPECT_TRUE(Eventually([&] { return Validate("two").value_or(Caller{}).id == 7; }));
  EXPECT_TRUE(IsReachable());
}

TEST_F(TokenValidatorTest, ASilentServiceIsUnavailableAtTheDeadline) {
  Serve({&stream_});
  Connect({.timeout = 300ms});
  const auto start = Clock::now();
  ExpectUnavailable(Validate("silent"));
  EXPECT_GE(Clock::now() - start, 290ms);
  // The verdict arrives on another stream.
  EXPECT_TRUE(Eventually([&] { return Validate("good").has_value(); }));
  EXPECT_EQ(stream_.streams, 2);
}

TEST_F(TokenValidatorTest, OneLostVerdictHurtsNobodyElse) {
  Serve({&stream_});
  Connect({.timeout = 2000ms, .unanswered_message_interval = 500ms});
  auto lost = Start("silent");
  while (lost.wait_for(10ms) != std::future_status::ready) EXPECT_TRUE(Validate("good"));
  ExpectUnavailable(lost.get());
  // It does not delay them either, because no message waits for its verdict any more. Otherwise
  // each message would be sent 500 ms after the one before.
  EXPECT_TRUE(Validate("good"));
  auto fastest = Clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    EXPECT_TRUE(Validate("good"));
    fastest = std::min(fastest, Clock::now() - start);
  }
  EXPECT_LT(fastest, 250ms);
  EXPECT_EQ(stream_.streams, 1);
}

TEST_F(TokenValidatorTest, APauseOfASecondEndsNoStream) {
  Serve({&stream_});
  Connect();
  auto paused = Start("pause");
  ASSERT_TRUE(Eventually([&] { return stream_.queries == 1; }));
  EXPECT_FALSE(IsReachable());
  EXPECT_TRUE(paused.get());
  EXPECT_TRUE(Validate("good"));
  EXPECT_EQ(stream_.streams, 1);
}

TEST_F(TokenValidatorTest, TooManyInFlightAreUnavailableAtOnce) {
  Serve({&stream_});
  Connect({.timeout = 3000ms, .max_in_flight = 4});
  std::vector<std::future<Result<Caller>>> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(Start("silent"));
  ASSERT_TRUE(Eventually([&] { return stream_.queries == 4; }));
  const auto start = Clock::now();
  ExpectUnavailable(Validate("good"));
  EXPECT_LT(Clock::now() - start, 2500ms);  // It has not waited for its deadline.
  EXPECT_EQ(stream_.queries, 4);
  // This does not mean that the customers service is away.
  EXPECT_TRUE(IsReachable());
  for (auto& verdict : waiting) ExpectUnavailable(verdict.get());
  EXPECT_TRUE(Eventually([&] { return Validate("good").has_value(); }));
}

TEST_F(TokenValidatorTest, OverdueValidationsCountUntilTheStreamEnds) {
  Serve({&stream_});
  Connect({.timeout = 300ms, .max_in_flight = 4});
  auto lost = Start("silent");
  while (lost.wait_for(10ms) != std::future_status::ready) EXPECT_TRUE(Validate("good"));
  std::vector<std::future<Result<Caller>>> waiting;
  for (int i = 0; i < 3; ++i) waiting.push_back(Start("silent"));
  ExpectUnavailable(Validate("good"));
  for (auto& verdict : waiting) ExpectUnavailable(verdict.get());
  // A stream ends when overdue validations reach half of the bound.
  EXPECT_TRUE(Eventually([&] { return Validate("good").has_value(); }));
  EXPECT_EQ(stream_.streams, 2);
}

TEST_F(TokenValidatorTest, TooManyUnaryCallsAreUnavailableAtOnce) {
  Serve({&unary_});
  Connect({.timeout = 3000ms, .max_in_flight = 4});
  ASSERT_TRUE(Validate("good"));
  std::vector<std::future<Result<Caller>>> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(Start("silent"));
  ASSERT_TRUE(Eventually([&] { return unary_.calls == 5; }));
  const auto start = Clock::now();
  ExpectUnavailable(Validate("good"));
  EXPECT_LT(Clock::now() - start, 2500ms);  // It has not waited for its deadline.
  EXPECT_EQ(unary_.calls, 5);
  EXPECT_TRUE(IsReachable());
  for (auto& verdict : waiting) ExpectUnavailable(verdict.get());
  EXPECT_TRUE(Validate("good"));
}

TEST_F(TokenValidatorTest, TooManyBytesInFlightAreUnavailableAtOnce) {
  Serve({&stream_});
  Connect({.timeout = 1000ms, .max_in_flight_bytes = 1000});
  auto waiting = Start("silent" + std::string(900, ' '));
  ASSERT_TRUE(Eventually([&] { return stream_.queries == 1; }));
  ExpectUnavailable(Validate(std::string(100, 'x')));
  EXPECT_EQ(stream_.queries, 1);
  EXPECT_TRUE(Validate("good"));
  ExpectUnavailable(waiting.get());
  EXPECT_TRUE(Validate(std::string(1000, 'x')));
}

TEST_F(TokenValidatorTest, OverdueBytesCountUntilTheStreamEnds) {
  Serve({&stream_});
  Connect({.timeout = 300ms, .max_in_flight_bytes = 1000});
  auto lost = Start("silent" + std::string(400, ' '));
  while (lost.wait_for(10ms) != std::future_status::ready) EXPECT_TRUE(Validate("good"));
  ExpectUnavailable(Validate(std::string(700, 'x')));
  // A stream ends when overdue validations reach half of the bound.
  ExpectUnavailable(Validate("silent" + std::string(100, ' ')));
  EXPECT_TRUE(Eventually([&] { return Validate(std::string(700, 'x')).has_value(); }));
  EXPECT_EQ(stream_.streams, 2);
}

TEST_F(TokenValidatorTest, AUnaryCallHasTheTimeThatTheStreamLeft) {
  Serve({&unary_, &stream_});
  Connect({.timeout = 2000ms});
  const auto start = Clock::now();
  ExpectUnavailable(Validate("silent after a while"));
  EXPECT_EQ(unary_.calls, 1);
  EXPECT_GE(Clock::now() - start, 1990ms);
  // The stream used 400 ms of it. gRPC may round a deadline up.
  EXPECT_LE(unary_.time_left.load(), 1650ms);
}

TEST_F(TokenValidatorTest, AVerdictOnAnUnknownIdEndsTheStream) {
  Serve({&stream_});
  Connect();
  // It is sent once more, then it fails.
  ExpectUnavailable(Validate("wrong id"));
  EXPECT_EQ(stream_.queries, 2);
  EXPECT_EQ(stream_.streams, 2);
  EXPECT_TRUE(Eventually([&] { return Validate("good").has_value(); }));
  const int streams = stream_.streams;
  EXPECT_TRUE(Validate("twice"));
  EXPECT_TRUE(Eventually([&] { return Validate("good") && stream_.streams == streams + 1; }));
}

TEST_F(TokenValidatorTest, RepeatedOnceWhenTheStreamBreaks) {
  Serve({&stream_});
  Connect();
  ASSERT_TRUE(Validate("good"));
  ExpectUnavailable(Validate("end"));
  EXPECT_EQ(stream_.queries, 3);
  EXPECT_EQ(stream_.streams, 3 - 1);
}

TEST_F(TokenValidatorTest, RepeatedOnceWhenTheConnectionBreaks) {
  Serve({&stream_});
  Proxy proxy(port_);
  Connect({}, proxy.port());
  auto verdict = Start("silent at first");
  ASSERT_TRUE(Eventually([&] { return stream_.queries == 1; }));
  proxy.BreakConnections();
  EXPECT_TRUE(verdict.get());
  EXPECT_EQ(stream_.queries, 2);
}

// A validation whose stream never had a connection does not count as sent.
TEST_F(TokenValidatorTest, WhatWasNeverSentIsNoAttempt) {
  // Accepts connections and sends nothing.
  const asio::ip::tcp::acceptor mute(io_, {asio::ip::address_v4::loopback(), 0});
  Connect({.timeout = 20s}, mute.local_endpoint().port());
  ExpectUnavailable(Validate("good"));
  EXPECT_EQ(validator_->metrics().repeated.value(), 0U);
}

TEST_F(TokenValidatorTest, CountsRepeatedValidations) {
  Serve({&stream_});
  Connect();
  const ValidationMetrics& metrics = validator_->metrics();
  ASSERT_TRUE(Validate("good"));
  EXPECT_EQ(metrics.repeated.value(), 0U);
  ExpectUnavailable(Validate("end"));
  EXPECT_EQ(metrics.repeated.value(), 1U);
}

TEST_F(TokenValidatorTest, FailsAtOnceWhileAwayAndComesBackByItself) {
  Serve({&stream_});
  Connect({.timeout = 10s});
  ASSERT_TRUE(Validate("good"));
  StopServing();
  ExpectUnavailable(Validate("good"));
  for (const auto end = Clock::now() + 2s; Clock::now() < end;) {
    const auto start = Clock::now();
    ExpectUnavailable(Validate("good"));
    EXPECT_FALSE(IsReachable());
    EXPECT_LT(Clock::now() - start, 5s);  // It has not waited for its deadline.
    std::this_thread::sleep_for(10ms);
  }
  Serve({&stream_});
  // A probe alone is enough to connect.
  EXPECT_TRUE(Eventually([&] { return IsReachable(); }));
  EXPECT_TRUE(Validate("good"));
}

// A stream's turn is over all the time, while many validations are under way.
TEST_F(TokenValidatorTest, TurnsLoseNothing) {
  constexpr int kCount = 4'000;
  Serve({&stream_});
  ConnectTo({.replicas = {{"localhost", port_}}, .stream_turn = 1ms});
  int sent = 0;
  while (sent < kCount || stream_.streams < 20) {
    std::vector<std::future<Result<Caller>>> verdicts;
    OnWorker([&] {
      for (int i = 0; i < 50; ++i) verdicts.push_back(Start("user " + std::to_string(sent + i)));
    });
    for (auto& verdict : verdicts) {
      const auto caller = verdict.get();
      ASSERT_TRUE(caller);
      EXPECT_EQ(caller->email, "user " + std::to_string(sent++));
    }
  }
  EXPECT_EQ(stream_.queries, sent);
  EXPECT_EQ(validator_->metrics().repeated.value(), 0U);
}

TEST_F(TokenValidatorTest, VerdictsArriveAfterTheTurnOfTheirStream) {
  Serve({&stream_});
  ConnectTo({.replicas = {{"localhost", port_}}, .timeout = 20s, .stream_turn = 10ms});
  // The first ones are sent on one stream, which the fake answers one after the other.
  std::vector<std::future<Result<Caller>>> held;
  held.push_back(Start("held"));
  ASSERT_TRUE(Eventually([&] {
    held.push_back(Start("good"));
    return stream_.streams == 2;
  }));
  // Those on other streams do not wait for it.
  ASSERT_TRUE(Eventually([&] { return Validate("good") && stream_.streams > 3; }));
  EXPECT_EQ(held.front().wait_for(0s), std::future_status::timeout);
  stream_.is_holding = false;
  for (auto& verdict : held) EXPECT_TRUE(verdict.get());
  EXPECT_EQ(validator_->metrics().repeated.value(), 0U);
}

TEST_F(TokenValidatorTest, AStreamThatIsNotUsedEnds) {
  Serve({&stream_});
  ConnectTo({.replicas = {{"localhost", port_}}, .stream_turn = 10ms});
  ASSERT_TRUE(Validate("good"));
  ASSERT_TRUE(Eventually([&] { return stream_.ended == 1; }));
  EXPECT_TRUE(Validate("good"));
  EXPECT_EQ(stream_.streams, 2);
}

TEST_F(TokenValidatorTest, AnOrderlyEndIsNoLoss) {
  Serve({&stream_});
  Connect();
  ASSERT_TRUE(Validate("good"));
  EXPECT_TRUE(Validate("end in order at first"));
  EXPECT_EQ(stream_.streams, 2);
  EXPECT_EQ(validator_->metrics().repeated.value(), 1U);
}

TEST_F(TokenValidatorTest, DestroyedWithCallsWaiting) {
  Serve({&stream_});
  Connect();
  std::vector<std::future<Result<Caller>>> waiting;
  for (int i = 0; i < 100; ++i) waiting.push_back(Start("silent"));
  ASSERT_TRUE(Eventually([&] { return stream_.queries == 100; }));
  Disconnect();
  for (auto& verdict : waiting) ExpectUnavailable(verdict.get());
}

TEST_F(TokenValidatorTest, DestroyedByACallerWithOthersAnswered) {
  Serve({&stream_});
  Connect();
  std::future<Result<Caller>> other;
  std::promise<void> destroyed;
  OnWorker([&] {
    other = Start("other");
    // Its verdict comes first, because the fake answers in reverse order.
    asio::co_spawn(
        io_,
        [](std::unique_ptr<TokenValidator>& validator) -> platform::Task<void> {
          EXPECT_TRUE(co_await validator->Validate("good", kOrigin));
          validator.reset();
        }(validator_),
        [&](const std::exception_ptr&) { destroyed.set_value(); });
  });
  destroyed.get_future().wait();
  ExpectUnavailable(other.get());
  EXPECT_EQ(stream_.messages, 1);
}

TEST_F(TokenValidatorTest, AnExceptionOfACallerHurtsNobodyElse) {
  Serve({&stream_});
  Connect();
  ASSERT_TRUE(Validate("good"));
  std::future<Result<Caller>> other;
  OnWorker([&] {
    other = Start("other");
    asio::co_spawn(
        io_,
        [](TokenValidator& validator) -> platform::Task<void> {
          co_await validator.Validate("good", kOrigin);
        }(*validator_),
        [](const std::exception_ptr&) { throw Fault(); });
  });
  EXPECT_TRUE(other.get());
  EXPECT_TRUE(Eventually([&] { return faults_ == 1; }));
}

TEST_F(TokenValidatorTest, DestroyedBeforeTheCallIsMade) {
  Serve({&stream_});
  Connect();
  std::future<Result<Caller>> verdict;
  OnWorker([&] {
    verdict = Start("good");
    asio::post(io_, [&] { validator_.reset(); });
  });
  ExpectUnavailable(verdict.get());
}

// Three replicas of the customers service, and one client.
class ReplicasTest : public TokenValidatorTest {
 protected:
  struct Replica {
    FakeStream stream;
    std::uint16_t port = 0;
    std::optional<platform::grpc::testing::GrpcServer> server;
  };

  // Starts a replica, on the same port each time.
  void StartReplica(Replica& replica, std::chrono::milliseconds max_connection_age = {}) {
    const std::array<::grpc::Service*, 1> services{&replica.stream};
    replica.server.emplace(files_.files(), services, replica.port, max_connection_age);
    replica.port = replica.server->port();
  }

  static void StopReplica(Replica& replica) { replica.server.reset(); }

  void ConnectToAll() {
    TokenValidatorOptions options{.stream_turn = 2ms};
    for (const Replica& replica : replicas_)
      options.replicas.push_back({"localhost", replica.port});
    ConnectTo(std::move(options));
  }

  // Validates until the condition is true.
  void ValidateUntil(const std::function<bool()>& condition) {
    ASSERT_TRUE(Eventually([&] {
      EXPECT_TRUE(Validate("good"));
      return condition();
    }));
  }

  // Validates until each replica has had further streams.
  void ValidateUntilAllHaveStreams() {
    std::array<int, 3> before{};
    for (std::size_t i = 0; i < before.size(); ++i) before.at(i) = replicas_.at(i).stream.streams;
    ValidateUntil([&] {
      return std::ranges::all_of(std::views::iota(0U, before.size()), [&](std::size_t i) {
        return replicas_.at(i).stream.streams > before.at(i) + 1;
      });
    });
  }

  std::array<Replica, 3> replicas_;
};

TEST_F(ReplicasTest, StreamsTakeTurns) {
  for (Replica& replica : replicas_) StartReplica(replica);
  ConnectToAll();
  ValidateUntilAllHaveStreams();  // So all are connected.
  std::array<int, 3> before{};
  for (std::size_t i = 0; i < before.size(); ++i) before.at(i) = replicas_.at(i).stream.streams;
  ValidateUntil([&] { return replicas_[0].stream.streams >= before[0] + 20; });
  for (std::size_t i = 1; i < before.size(); ++i) {
    EXPECT_NEAR(replicas_.at(i).stream.streams - before.at(i), 20, 1);
  }
}

TEST_F(ReplicasTest, OneThatEndsCostsNothingAndOneThatComesIsUsed) {
  for (Replica& replica : replicas_) StartReplica(replica);
  ConnectToAll();
  for (Replica& replica : replicas_) {
    ValidateUntilAllHaveStreams();
    std::vector<std::future<Result<Caller>>> waiting;
    std::atomic<bool> is_over = false;
    // Eight callers validate all the time, meanwhile the replica ends with their calls.
    for (int caller = 0; caller < 8; ++caller) {
      waiting.push_back(asio::co_spawn(
          io_,
          [](TokenValidator& validator, std::atomic<bool>& over) -> platform::Task<Result<Caller>> {
            for (;;) {
              auto verdict = co_await validator.Validate("good", kOrigin);
              if (!verdict || over) co_return verdict;
            }
          }(*validator_, is_over),
          asio::use_future));
    }
    std::this_thread::sleep_for(20ms);
    StopReplica(replica);
    std::this_thread::sleep_for(20ms);
    is_over = true;
    for (auto& verdict : waiting) EXPECT_TRUE(verdict.get());
    StartReplica(replica);
  }
  ValidateUntilAllHaveStreams();
}

TEST_F(ReplicasTest, ThoseThatAreAwayFromTheBeginningAreNotUsed) {
  for (Replica& replica : replicas_) StartReplica(replica);
  StopReplica(replicas_[0]);
  StopReplica(replicas_[2]);
  ConnectToAll();
  ASSERT_TRUE(Eventually([&] { return IsReachable(); }));
  ValidateUntil([&] { return replicas_[1].stream.streams > 20; });
}

TEST_F(ReplicasTest, ConnectionsThatReachTheirAgeCostNothing) {
  for (Replica& replica : replicas_) {
    StartReplica(replica, 100ms);
  }
  ConnectToAll();
  const auto end = Clock::now() + 2s;
  ValidateUntil([&] { return Clock::now() > end; });
  EXPECT_EQ(validator_->metrics().repeated.value(), 0U);
  ValidateUntilAllHaveStreams();
}

}  // namespace
}  // namespace customers::client
