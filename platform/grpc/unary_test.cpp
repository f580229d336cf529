#include "platform/grpc/unary.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <thread>

#include "platform/grpc/channel.h"
#include "platform/grpc/server.h"
#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/echo.h"

namespace platform::grpc {
namespace {

using ::grpc::StatusCode;
using testing::EchoReply;
using testing::EchoRequest;
using namespace std::chrono_literals;
namespace asio = boost::asio;

class UnaryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::array<::grpc::Service*, 1> services{&echo_};
    port_ = server_.Start(services).value();
    stub_ = testing::EchoService::NewStub(
        MakeChannel({.host = "localhost", .port = port_, .tls = files_.files()}));
  }

  Task<UnaryReply<EchoReply>> Call(EchoRequest request, std::chrono::milliseconds timeout = 5s) {
    return Unary(*stub_->async(), &testing::EchoService::StubInterface::async_interface::Echo,
                 std::move(request), timeout);
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

  testing::EchoServer echo_;
  testing::Authority authority_;
  testing::TlsDirectory files_{authority_.certificate(), authority_.Issue()};
  Server server_{{.tls = files_.files()}};
  std::uint16_t port_ = 0;
  std::unique_ptr<testing::EchoService::Stub> stub_;
};

TEST_F(UnaryTest, ManyCallsEachGetTheirOwnAnswerOnTheirOwnThread) {
  constexpr int kCalls = 2000;
  asio::io_context io;
  const auto thread = std::this_thread::get_id();
  int good = 0;
  for (int i = 0; i < kCalls; ++i) {
    asio::co_spawn(
        io,
        [&, text = std::to_string(i)] -> Task<void> {
          const auto [status, reply] = co_await Call(Text(text));
          EXPECT_EQ(std::this_thread::get_id(), thread);
          good += status.ok() && reply.text() == text ? 1 : 0;
        },
        asio::detached);
  }
  io.run();
  EXPECT_EQ(good, kCalls);
}

TEST_F(UnaryTest, ReturnsTheServersStatus) {
  asio::io_context io;
  ::grpc::Status status;
  asio::co_spawn(
      io,
      [&] -> Task<void> {
        EchoRequest request;
        request.set_fail_with(StatusCode::ABORTED);
        status = (co_await Call(request)).status;
      },
      asio::detached);
  io.run();
  EXPECT_EQ(status.error_code(), StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "failed as asked");
}

TEST_F(UnaryTest, EndsAtItsDeadlineWhenTheServerIsSilent) {
  asio::io_context io;
  ::grpc::Status status;
  asio::co_spawn(
      io, [&] -> Task<void> { status = (co_await Call(Silent(), 200ms)).status; }, asio::detached);
  const auto start = std::chrono::steady_clock::now();
  io.run();
  EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
}

TEST_F(UnaryTest, EndsAtItsDeadlineWhenNobodyShakesHands) {
  // Accepts connections and sends nothing.
  asio::io_context io;
  asio::ip::tcp::acceptor mute(io, {asio::ip::address_v4::loopback(), 0});
  stub_ = testing::EchoService::NewStub(MakeChannel(
      {.host = "localhost", .port = mute.local_endpoint().port(), .tls = files_.files()}));
  ::grpc::Status status;
  asio::co_spawn(
      io, [&] -> Task<void> { status = (co_await Call(Text("hello"), 300ms)).status; },
      asio::detached);
  const auto start = std::chrono::steady_clock::now();
  io.run();
  EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
}

TEST_F(UnaryTest, CancellingTheCoroutineCancelsTheCall) {
  asio::io_context io;
  asio::cancellation_signal signal;
  bool started = false;
  bool ended = false;
  asio::co_spawn(
      io,
      [&] -> Task<void> {
        started = true;
        // Without it, a cancelled coroutine throws at its next co_await instead of seeing the
        // result.
        co_await asio::this_coro::throw_if_cancelled(false);
        const auto [status, reply] = co_await Call(Silent(), 20s);
        EXPECT_EQ(status.error_code(), StatusCode::CANCELLED);
        ended = true;
      },
      asio::bind_cancellation_slot(signal.slot(), asio::detached));
  asio::steady_timer timer(io, 200ms);
  timer.async_wait([&](boost::system::error_code) { signal.emit(asio::cancellation_type::all); });
  const auto start = std::chrono::steady_clock::now();
  io.run();
  EXPECT_TRUE(started);
  EXPECT_TRUE(ended);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
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

TEST_F(UnaryTest, DestroyingTheContextAbandonsOpenCalls) {
  for (int round = 0; round < 20; ++round) {
    int guests = 0;
    {
      asio::io_context io;
      for (int i = 0; i < 50; ++i) {
        asio::co_spawn(
            io,
            [&, i] -> Task<void> {
              const Guest guest(guests);
              // Some answers arrive while the context is being destroyed.
              co_await Call(i % 2 == 0 ? Text("hello") : Silent(), 3s);
            },
            asio::detached);
      }
      io.run_for(std::chrono::milliseconds(round % 5));
    }
    EXPECT_EQ(guests, 0);
  }
}

TEST_F(UnaryTest, OutlivesItsStub) {
  asio::io_context io;
  ::grpc::Status status;
  asio::co_spawn(
      io, [&] -> Task<void> { status = (co_await Call(Silent(), 300ms)).status; }, asio::detached);
  io.poll();
  stub_.reset();
  io.run();
  EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace platform::grpc
