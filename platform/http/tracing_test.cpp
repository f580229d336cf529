#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "platform/http/testing/raw_client.h"
#include "platform/http/testing/running_server.h"
#include "platform/trace/traced_executor.h"
#include "platform/trace/tracer.h"

// Tests which requests a server has recorded, and which spans their operations then belong to. The
// end-to-end tests show the spans themselves.
namespace platform::http {
namespace {

namespace asio = boost::asio;
using testing::RawClient;
using testing::RunningServer;

constexpr const char* kRecorded = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr const char* kNotRecorded = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

// Answers "<span of the request> <span of its operations>".
Task<Response> Mirror(const Request& request) {
  const auto parents = trace::ParentsOf(co_await asio::this_coro::executor);
  co_return Response{
      .body = fmt::format("{} {}", request.trace.span_id(),
                          parents != nullptr ? parents->spans.front().span_id() : "none"),
      .content_type = "text/plain"};
}

class TracingTest : public ::testing::Test {
 protected:
  ServerOptions Options() {
    ServerOptions options;
    options.health_paths = {"/healthz"};
    options.tracer = &tracer_;
    return options;
  }

  static std::string Get(const std::string& path, const std::string& traceparent) {
    return fmt::format("GET {} HTTP/1.1\r\nHost: a\r\ntraceparent: {}\r\n\r\n", path, traceparent);
  }

  // Nobody listens on this port, so nothing is sent.
  trace::Tracer tracer_{{.collector = {.host = "127.0.0.1", .port = 1, .path = "/"}}};
};

TEST_F(TracingTest, OperationsBelongToTheSpanOfARecordedRequest) {
  const RunningServer server(Mirror, Options());
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    const std::string spans = client.Ask(Get("/", kRecorded)).body;
    ASSERT_EQ(spans.size(), 33);
    EXPECT_EQ(spans.substr(0, 16), spans.substr(17));
    EXPECT_NE(spans.substr(17), "00f067aa0ba902b7");
    EXPECT_THAT(client.Ask(Get("/", kNotRecorded)).body, ::testing::EndsWith(" none"));
  }
}

TEST_F(TracingTest, HealthChecksAreNotRecorded) {
  const RunningServer server(Mirror, Options());
  RawClient client(server.port());
  EXPECT_THAT(client.Ask(Get("/healthz", kRecorded)).body, ::testing::EndsWith(" none"));
}

TEST_F(TracingTest, WithoutATracerNothingIsRecorded) {
  const RunningServer server(Mirror);
  RawClient client(server.port());
  EXPECT_THAT(client.Ask(Get("/", kRecorded)).body, ::testing::EndsWith(" none"));
}

TEST_F(TracingTest, ARecordedRequestEndsWithItsLoop) {
  std::promise<void> begun;
  const auto alive = std::make_shared<int>();
  const std::weak_ptr<int> observer = alive;
  std::optional<RunningServer> server(
      std::in_place,
      [&begun, alive](const Request&) -> Task<Response> {
        // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the frame owns it, too.
        const auto held = alive;
        begun.set_value();
        asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
        co_await timer.async_wait(asio::use_awaitable);
        co_return Response{};
      },
      Options());
  RawClient client(server->port());
  client.Send(Get("/", kRecorded));
  begun.get_future().wait();
  server.reset();
  EXPECT_EQ(observer.use_count(), 1);  // Only that of this test, and of no handler.
}

}  // namespace
}  // namespace platform::http
