#include "platform/grpc/channel.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <functional>
#include <future>
#include <optional>
#include <tuple>

#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/echo.h"
#include "platform/grpc/testing/grpc_peers.h"
#include "platform/grpc/testing/proxy.h"

namespace platform::grpc {
namespace {

using testing::EchoReply;
using testing::EchoRequest;
using testing::kEcho;
using testing::kRepeat;
using namespace std::chrono_literals;
namespace asio = boost::asio;

// Our client, and a server of gRPC's own library.
class ChannelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Serve();
    Connect();
  }

  void Serve() {
    const std::array<::grpc::Service*, 1> services{&echo_};
    server_.emplace(server_files_.files(), services, port_);
    port_ = server_->port();
  }

  ChannelOptions Options() const {
    return {.hosts = {{"localhost", port_}}, .tls = client_files_.files()};
  }

  void Connect() { Connect(Options()); }
  void Connect(ChannelOptions options) { channel_.emplace(io_.get_executor(), std::move(options)); }

  // Runs the loop until the task has ended.
  template <class T>
  T Run(Task<T> task) {
    io_.restart();
    auto result = asio::co_spawn(io_, std::move(task), asio::use_future);
    while (result.wait_for(0s) != std::future_status::ready) io_.run_one();
    return result.get();
  }

  UnaryReply<EchoReply> Call(const EchoRequest& request, std::chrono::milliseconds timeout = 5s) {
    return Run(Unary<EchoReply>(*channel_, kEcho, request, timeout));
  }

  StatusCode CallText(std::chrono::milliseconds timeout = 5s) {
    return Call(Text("hello"), timeout).status.code;
  }

  // Calls until the code is this one, or ten seconds have passed. Returns the latest code.
  StatusCode Eventually(StatusCode code) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    StatusCode latest = CallText();
    while (latest != code && std::chrono::steady_clock::now() < end) {
      Run(Sleep(20ms));
      latest = CallText();
    }
    return latest;
  }

  static Task<void> Sleep(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
  }

  static EchoRequest Text(const std::string& text) {
    EchoRequest request;
    request.set_text(text);
    return request;
  }

  static EchoRequest Silent() {
    EchoRequest request;
    request.set_silent(true);
    return request;
  }

  std::shared_ptr<ClientCall> Repeat(const EchoRequest& request) {
    auto call = channel_->Start(kRepeat);
    call->Send(request);
    call->EndSending();
    return call;
  }

  testing::EchoServer echo_;
  testing::Authority authority_;
  testing::Authority stranger_;
  testing::TlsDirectory server_files_{authority_.certificate(), authority_.Issue()};
  testing::TlsDirectory client_files_{authority_.certificate(), authority_.Issue()};
  std::uint16_t port_ = 0;
  std::optional<testing::GrpcServer> server_;
  asio::io_context io_;
  std::optional<Channel> channel_;
};

// --- Calls --------------------------------------------------------------------------------------

TEST_F(ChannelTest, ManyCallsEachGetTheirOwnAnswer) {
  constexpr int kCalls = 2000;
  int good = 0;
  int ended = 0;
  for (int i = 0; i < kCalls; ++i) {
    asio::co_spawn(
        io_,
        [&, text = std::to_string(i)] -> Task<void> {
          const EchoRequest request = Text(text);
          const auto reply = co_await Unary<EchoReply>(*channel_, kEcho, request, 20s);
          good += reply.status.ok() && reply.response.text() == text ? 1 : 0;
          ++ended;
        },
        asio::detached);
  }
  while (ended < kCalls) io_.run_one();
  EXPECT_EQ(good, kCalls);
}

TEST_F(ChannelTest, ReturnsTheServersStatus) {
  EchoRequest request;
  request.set_fail_with(static_cast<int>(StatusCode::kAborted));
  const auto reply = Call(request);
  EXPECT_EQ(reply.status.code, StatusCode::kAborted);
  EXPECT_EQ(reply.status.message, "failed as asked");
}

TEST_F(ChannelTest, AnUnknownMethodIsUnimplemented) {
  const auto reply = Run(Unary<EchoReply>(*channel_, "/Nothing/Here", Text("hello"), 5s));
  EXPECT_EQ(reply.status.code, StatusCode::kUnimplemented);
}

TEST_F(ChannelTest, ACallEndsAtItsDeadlineWhenTheServerIsSilent) {
  EXPECT_EQ(Call(Silent(), 200ms).status.code, StatusCode::kDeadlineExceeded);
  EXPECT_EQ(CallText(), StatusCode::kOk);
}

TEST_F(ChannelTest, ACallEndsAtItsDeadlineWhenNobodyShakesHands) {
  // Accepts connections and sends nothing.
  asio::ip::tcp::acceptor mute(io_, {asio::ip::address_v4::loopback(), 0});
  Connect({.hosts = {{"127.0.0.1", mute.local_endpoint().port()}},
           .tls = client_files_.files(),
           .connect_timeout = 20s});
  EXPECT_EQ(CallText(300ms), StatusCode::kDeadlineExceeded);
}

TEST_F(ChannelTest, AnAttemptToConnectIsLimited) {
  asio::ip::tcp::acceptor mute(io_, {asio::ip::address_v4::loopback(), 0});
  Connect({.hosts = {{"127.0.0.1", mute.local_endpoint().port()}},
           .tls = client_files_.files(),
           .connect_timeout = 100ms});
  EXPECT_EQ(CallText(20s), StatusCode::kUnavailable);
}

TEST_F(ChannelTest, AMessageOverTheLimitEndsItsCall) {
  ChannelOptions options = Options();
  options.max_message_bytes = 10'000;
  Connect(options);
  EXPECT_TRUE(Call(Text(std::string(9'990, 'x'))).status.ok());
  EXPECT_EQ(Call(Text(std::string(10'000, 'x'))).status.code, StatusCode::kResourceExhausted);
  EXPECT_EQ(CallText(), StatusCode::kOk);
}

TEST_F(ChannelTest, ALargeMessagePassesTheWindow) {
  const std::string text(1'000'000, 'x');
  EXPECT_EQ(Call(Text(text)).response.text(), text);
}

// --- Streams ------------------------------------------------------------------------------------

TEST_F(ChannelTest, ReadsAStreamToItsEnd) {
  EchoRequest request = Text("hello");
  request.set_times(1000);
  const auto call = Repeat(request);
  const int received = Run([](ClientCall& stream) -> Task<int> {
    int count = 0;
    while (const auto message = co_await stream.Read()) {
      EchoReply reply;
      EXPECT_TRUE(reply.ParseFromString(*message));
      EXPECT_EQ(reply.text(), "hello");
      ++count;
    }
    co_return count;
  }(*call));
  EXPECT_EQ(received, 1000);
  EXPECT_TRUE(call->status().ok());
}

TEST_F(ChannelTest, AStreamThatIsNotReadHoldsTheServerUp) {
  EchoRequest request = Text(std::string(1000, 'x'));
  const auto stalled = Repeat(request);
  Run([](ClientCall& stream) -> Task<void> { co_await stream.Read(); }(*stalled));
  int before = -1;
  while (std::exchange(before, echo_.sent.load()) != echo_.sent) Run(Sleep(300ms));
  // Others go on.
  EXPECT_EQ(CallText(), StatusCode::kOk);
  stalled->Cancel();
  EXPECT_EQ(stalled->status().code, StatusCode::kCancelled);
}

TEST_F(ChannelTest, ACancelledStreamReturnsNothing) {
  EchoRequest request = Text("hello");
  request.set_times(1);
  request.set_silent(true);
  const auto call = Repeat(request);
  const bool has_ended = Run([](ClientCall& stream) -> Task<bool> {
    EXPECT_TRUE(co_await stream.Read());
    asio::steady_timer timer(co_await asio::this_coro::executor, 20ms);
    timer.async_wait([&](const boost::system::error_code&) { stream.Cancel(); });
    co_return !co_await stream.Read();
  }(*call));
  EXPECT_TRUE(has_ended);
  EXPECT_EQ(call->status().code, StatusCode::kCancelled);
}

TEST_F(ChannelTest, DestroyedItEndsItsCalls) {
  StatusCode code = StatusCode::kOk;
  asio::co_spawn(
      io_,
      [&] -> Task<void> {
        const EchoRequest request = Silent();
        code = (co_await Unary<EchoReply>(*channel_, kEcho, request, 20s)).status.code;
      },
      asio::detached);
  Run(Sleep(200ms));
  channel_.reset();
  io_.run();
  EXPECT_EQ(code, StatusCode::kUnavailable);
}

// Counts the objects in coroutine frames.
class Guest {
 public:
  explicit Guest(int& count) : count_(&count) { ++*count_; }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest() { --*count_; }

 private:
  int* count_;
};

TEST_F(ChannelTest, DestroyingTheLoopDestroysWhatWaits) {
  for (int round = 0; round < 20; ++round) {
    int guests = 0;
    {
      asio::io_context io;
      Channel channel(io.get_executor(), Options());
      for (int i = 0; i < 50; ++i) {
        asio::co_spawn(
            io,
            [&, i] -> Task<void> {
              const Guest guest(guests);
              const EchoRequest request = i % 2 == 0 ? Text("hello") : Silent();
              co_await Unary<EchoReply>(channel, kEcho, request, 3s);
            },
            asio::detached);
      }
      io.run_for(std::chrono::milliseconds(5 * (round % 5)));
    }
    EXPECT_EQ(guests, 0);
  }
}

// --- Connections --------------------------------------------------------------------------------

TEST_F(ChannelTest, RecoversSoonAfterARestart) {
  ASSERT_EQ(CallText(), StatusCode::kOk);
  server_.reset();
  // Long enough for the pauses between attempts to reach their maximum.
  for (const auto end = std::chrono::steady_clock::now() + 2s;
       std::chrono::steady_clock::now() < end;) {
    EXPECT_EQ(CallText(), StatusCode::kUnavailable);
    Run(Sleep(20ms));
  }
  Serve();
  EXPECT_EQ(Eventually(StatusCode::kOk), StatusCode::kOk);
}

TEST_F(ChannelTest, ReplacesABrokenConnection) {
  testing::Proxy proxy(port_);
  ChannelOptions options = Options();
  options.hosts = {{"localhost", proxy.port()}};
  Connect(options);
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(Eventually(StatusCode::kOk), StatusCode::kOk);
    proxy.BreakConnections();
  }
}

TEST_F(ChannelTest, ClosesAConnectionThatIsGivenUp) {
  EchoRequest request = Text("hello");
  request.set_times(1);
  request.set_silent(true);
  const auto call = Repeat(request);
  Run([](ClientCall& stream) -> Task<void> {
    EXPECT_TRUE(co_await stream.Read());
    stream.CloseConnection();
    EXPECT_FALSE(co_await stream.Read());
  }(*call));
  EXPECT_EQ(call->status().code, StatusCode::kUnavailable);
  EXPECT_EQ(Eventually(StatusCode::kOk), StatusCode::kOk);
}

TEST_F(ChannelTest, AnsweredPingsKeepAConnection) {
  ChannelOptions options = Options();
  options.keepalive_time = 100ms;
  options.keepalive_timeout = 200ms;
  Connect(options);
  const auto call = Repeat([] {
    EchoRequest request = Text("hello");
    request.set_times(1);
    request.set_silent(true);
    return request;
  }());
  Run([](ClientCall& stream) -> Task<void> {
    EXPECT_TRUE(co_await stream.Read());
    co_await Sleep(600ms);
    EXPECT_FALSE(stream.is_closed());
  }(*call));
}

// Two replicas.
class ReplicasTest : public ChannelTest {
 protected:
  void SetUp() override {
    Serve();
    ServeSecond();
    Connect({.hosts = {{"localhost", port_}, {"127.0.0.1", second_port_}},
             .tls = client_files_.files()});
  }

  void ServeSecond() {
    const std::array<::grpc::Service*, 1> services{&second_echo_};
    second_.emplace(server_files_.files(), services, second_port_);
    second_port_ = second_->port();
  }

  // Makes a call that the server counts.
  StatusCode CountedCall() {
    EchoRequest request = Text("hello");
    request.set_times(1);
    const auto call = Repeat(request);
    Run([](ClientCall& stream) -> Task<void> {
      while (co_await stream.Read()) {
      }
    }(*call));
    return call->status().code;
  }

  // Both are connected when both have been called.
  void CallBoth() {
    while (echo_.sent == 0 || second_echo_.sent == 0) {
      ASSERT_EQ(CountedCall(), StatusCode::kOk);
    }
  }

  testing::EchoServer second_echo_;
  std::uint16_t second_port_ = 0;
  std::optional<testing::GrpcServer> second_;
};

TEST_F(ReplicasTest, TakeTurns) {
  CallBoth();
  const int first = echo_.sent;
  const int second = second_echo_.sent;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(CountedCall(), StatusCode::kOk);
  EXPECT_EQ(echo_.sent, first + 10);
  EXPECT_EQ(second_echo_.sent, second + 10);
}

TEST_F(ReplicasTest, OneIsEnoughAndTheOtherComesBack) {
  CallBoth();
  second_.reset();
  // The loss is noticed by the loop before the next calls.
  Run(Sleep(100ms));
  EXPECT_TRUE(channel_->IsConnected());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(CountedCall(), StatusCode::kOk);
  ServeSecond();
  const int second = second_echo_.sent;
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (second_echo_.sent == second && std::chrono::steady_clock::now() < end) {
    EXPECT_EQ(CountedCall(), StatusCode::kOk);
    Run(Sleep(10ms));
  }
  EXPECT_GT(second_echo_.sent, second);
}

TEST_F(ReplicasTest, WithoutAnyNoneIsConnected) {
  CallBoth();
  server_.reset();
  second_.reset();
  EXPECT_EQ(Eventually(StatusCode::kUnavailable), StatusCode::kUnavailable);
  EXPECT_FALSE(channel_->IsConnected());
}

// --- Servers that are believed ------------------------------------------------------------------

TEST_F(ChannelTest, RefusesAServerOfAnotherAuthority) {
  // The server trusts this client, but the client does not trust the server.
  const testing::TlsDirectory files(stranger_.certificate(), authority_.Issue());
  ChannelOptions options = Options();
  options.tls = files.files();
  Connect(options);
  EXPECT_EQ(CallText(), StatusCode::kUnavailable);
}

class ServerNamesTest : public ChannelTest,
                        public ::testing::WithParamInterface<std::tuple<std::string, bool>> {
 protected:
  void SetUp() override {
    server_files_.SetIdentity(authority_.Issue(
        {.common_name = "localhost", .alternative_names = std::get<0>(GetParam())}));
    ChannelTest::SetUp();
  }
};

TEST_P(ServerNamesTest, AsksOnlyTheHostItMeant) {
  EXPECT_EQ(CallText() == StatusCode::kOk, std::get<1>(GetParam()));
}

// A common name is ignored if there are alternative names.
INSTANTIATE_TEST_SUITE_P(Names, ServerNamesTest,
                         ::testing::Values(std::tuple("DNS:localhost", true),
                                           std::tuple("DNS:elsewhere.test", false),
                                           std::tuple("DNS:localhost.elsewhere.test", false),
                                           std::tuple("IP:127.0.0.1", false)));

TEST_F(ChannelTest, AsksAnAddressThatTheCertificateNames) {
  ChannelOptions options = Options();
  options.hosts = {{"127.0.0.1", port_}};
  Connect(options);
  EXPECT_EQ(CallText(), StatusCode::kOk);
  server_files_.SetIdentity(authority_.Issue({.alternative_names = "DNS:127.0.0.1,IP:127.0.0.2"}));
  server_.reset();
  Serve();
  Connect(options);
  EXPECT_EQ(CallText(), StatusCode::kUnavailable);
}

TEST_F(ChannelTest, RefusesAnExpiredServer) {
  server_files_.SetIdentity(authority_.Issue({.valid_until = -60s}));
  server_.reset();
  Serve();
  Connect();
  EXPECT_EQ(CallText(), StatusCode::kUnavailable);
}

TEST_F(ChannelTest, PicksUpItsNewCertificate) {
  client_files_.SetIdentity(authority_.Issue({.valid_until = -60s}));
  Connect();
  ASSERT_EQ(CallText(), StatusCode::kUnavailable);
  client_files_.SetIdentity(authority_.Issue());
  EXPECT_EQ(Eventually(StatusCode::kOk), StatusCode::kOk);
}

}  // namespace
}  // namespace platform::grpc
