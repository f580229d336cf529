#include "platform/grpc/response_stream.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>
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

class ResponseStreamTest : public ::testing::Test {
 protected:
  using Stream = ResponseStream<EchoReply>;

  void SetUp() override {
    const std::array<::grpc::Service*, 1> services{&echo_};
    port_ = server_.Start(services).value();
    Connect();
  }

  void Connect() {
    stub_ = testing::EchoService::NewStub(
        MakeChannel({.host = "localhost", .port = port_, .tls = files_.files()}));
  }

  std::unique_ptr<Stream> Open(const EchoRequest& request,
                               std::chrono::milliseconds max_age = 60s) {
    return std::make_unique<Stream>(*stub_->async(),
                                    &testing::EchoService::StubInterface::async_interface::Repeat,
                                    request, max_age);
  }

  static EchoRequest Times(int times, std::string text = "hello") {
    EchoRequest request;
    request.set_text(std::move(text));
    request.set_times(times);
    return request;
  }

  static void Run(std::function<Task<void>()> task) {
    asio::io_context io;
    bool has_ended = false;
    asio::co_spawn(
        io,
        [&] -> Task<void> {
          co_await task();
          has_ended = true;
        },
        asio::detached);
    io.run();
    EXPECT_TRUE(has_ended);
  }

  testing::EchoServer echo_;
  testing::Authority authority_;
  testing::TlsDirectory files_{authority_.certificate(), authority_.Issue()};
  Server server_{{.tls = files_.files()}};
  std::uint16_t port_ = 0;
  std::unique_ptr<testing::EchoService::Stub> stub_;
};

TEST_F(ResponseStreamTest, ReturnsEachMessageAndThenTheStatus) {
  Run([&] -> Task<void> {
    for (const int code : {int{StatusCode::OK}, int{StatusCode::ABORTED}}) {
      EchoRequest request = Times(1000);
      request.set_fail_with(code);
      const auto stream = Open(request);
      int count = 0;
      while (const auto reply = co_await stream->Next(20s)) {
        count += reply->text() == "hello" ? 1 : 0;
      }
      EXPECT_EQ(count, 1000);
      EXPECT_EQ(stream->status().error_code(), code);
      EXPECT_FALSE(co_await stream->Next(20s));
    }
  });
}

TEST_F(ResponseStreamTest, CancelsAStreamThatBringsNothing) {
  Run([&] -> Task<void> {
    EchoRequest request = Times(1);
    request.set_silent(true);
    const auto stream = Open(request);
    EXPECT_TRUE(co_await stream->Next(20s));
    EXPECT_FALSE(co_await stream->Next(50ms));
    EXPECT_EQ(stream->status().error_code(), StatusCode::CANCELLED);
  });
}

TEST_F(ResponseStreamTest, EndsAtItsMaximumAge) {
  Run([&] -> Task<void> {
    EchoRequest request = Times(1);
    request.set_silent(true);
    const auto stream = Open(request, 1s);
    while (co_await stream->Next(60s)) {
    }
    EXPECT_EQ(stream->status().error_code(), StatusCode::DEADLINE_EXCEEDED);
  });
}

TEST_F(ResponseStreamTest, FailsWithoutAServer) {
  server_.Shutdown(0ms);
  Run([&] -> Task<void> {
    const auto stream = Open(Times(1));
    EXPECT_FALSE(co_await stream->Next(20s));
    EXPECT_EQ(stream->status().error_code(), StatusCode::UNAVAILABLE);
  });
}

TEST_F(ResponseStreamTest, ASlowReaderHoldsUpTheServer) {
  Run([&] -> Task<void> {
    const auto stream = Open(Times(0, std::string(100'000, 'x')));
    EXPECT_TRUE(co_await stream->Next(20s));
    // When the server sends no more, the buffers are full.
    for (int before = -1; before != echo_.sent;) {
      before = echo_.sent;
      std::this_thread::sleep_for(300ms);
    }
    const int sent = echo_.sent;
    for (int i = 0; i <= sent; ++i) EXPECT_TRUE(co_await stream->Next(20s));
  });
}

TEST_F(ResponseStreamTest, IsDestroyedAtAnyTime) {
  Run([&] -> Task<void> {
    for (int round = 0; round < 24; ++round) {
      const auto stream = Open(Times(round % 4));
      for (int i = 0; i < round % 3; ++i) co_await stream->Next(20s);
      if (round % 5 == 0) Connect();
    }
  });
}

TEST_F(ResponseStreamTest, DestroyingTheContextAbandonsItsReader) {
  for (int round = 0; round < 20; ++round) {
    auto guest = std::make_shared<int>();
    {
      asio::io_context io;
      asio::co_spawn(
          io,
          [&, kept = guest] -> Task<void> {
            EchoRequest request = Times(round % 2);
            request.set_silent(true);
            const auto stream = Open(request);
            while (co_await stream->Next(60s)) {
            }
          },
          asio::detached);
      io.run_for(std::chrono::milliseconds(round % 5));
    }
    EXPECT_EQ(guest.use_count(), 1);
  }
}

}  // namespace
}  // namespace platform::grpc
