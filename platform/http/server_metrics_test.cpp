#include "platform/http/server_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "platform/http/testing/raw_client.h"
#include "platform/http/testing/running_server.h"

namespace platform::http {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawClient;
using testing::RunningServer;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBook = 0;
constexpr std::size_t kAddBook = 1;

RouteTable MakeTable() {
  RouteTable table;
  table.Add({.method = Method::kGet, .pattern = "/books/{book_id}/"});
  table.Add({.method = Method::kPost, .pattern = "/books/"});
  return table;
}

std::string TextOf(const ServerMetrics& metrics) {
  telemetry::Report report;
  metrics.ReportTo(report);
  return report.Text();
}

// Returns a line of `http_server_requests_total`.
std::string Requests(std::string_view method, std::string_view route, std::string_view status,
                     int count) {
  std::string line = "http_server_requests_total{method=\"";
  line.append(method).append("\",route=\"").append(route);
  line.append("\",status=\"").append(status).append("\"} ");
  return line + std::to_string(count) + "\n";
}

TEST(ServerMetrics, ReportSuccessesAndErrorsFromTheStart) {
  const std::string text = TextOf(ServerMetrics(MakeTable()));
  for (const char* status : {"2xx", "4xx", "5xx"}) {
    EXPECT_THAT(text, HasSubstr(Requests("GET", "/books/{book_id}/", status, 0)));
    EXPECT_THAT(text, HasSubstr(Requests("POST", "/books/", status, 0)));
  }
  EXPECT_THAT(text, HasSubstr("http_server_refused_requests_total{status=\"4xx\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("http_server_connections_refused_total{reason=\"client\"} 0\n"));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("3xx")), Not(HasSubstr("unknown"))));
}

TEST(ServerMetrics, CountByRouteAndStatusClass) {
  ServerMetrics metrics(MakeTable());
  const auto count = [&](Method method, unsigned status, std::size_t route) {
    metrics.CountRequest(method, {.status = status, .route_index = route}, milliseconds(3));
  };
  count(Method::kGet, 200, kBook);
  count(Method::kHead, 200, kBook);
  count(Method::kGet, 304, kBook);
  count(Method::kGet, 404, kBook);
  count(Method::kGet, 422, kBook);
  count(Method::kPost, 503, kAddBook);
  const std::string text = TextOf(metrics);
  EXPECT_THAT(text, HasSubstr(Requests("GET", "/books/{book_id}/", "2xx", 2)));
  EXPECT_THAT(text, HasSubstr(Requests("GET", "/books/{book_id}/", "3xx", 1)));
  EXPECT_THAT(text, HasSubstr(Requests("GET", "/books/{book_id}/", "4xx", 2)));
  EXPECT_THAT(text, HasSubstr(Requests("POST", "/books/", "2xx", 0)));
  EXPECT_THAT(text, HasSubstr(Requests("POST", "/books/", "5xx", 1)));
  const std::string series = R"({method="GET",route="/books/{book_id}/",status="2xx")";
  EXPECT_THAT(text, HasSubstr("http_server_request_duration_seconds_count" + series + "} 2\n"));
  EXPECT_THAT(text, HasSubstr("http_server_request_duration_seconds_sum" + series + "} 0.006\n"));
  EXPECT_THAT(text, HasSubstr("_bucket" + series + ",le=\"0.0025\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("_bucket" + series + ",le=\"0.005\"} 2\n"));
}

TEST(ServerMetrics, CountUnknownPathsTogether) {
  ServerMetrics metrics(MakeTable());
  for (int i = 0; i < 3; ++i) metrics.CountRequest(Method::kGet, {.status = 404}, milliseconds(1));
  metrics.CountRequest(Method::kOther, {.status = 405}, milliseconds(1));
  const std::string text = TextOf(metrics);
  EXPECT_THAT(text, HasSubstr(Requests("GET", "unknown", "4xx", 3)));
  EXPECT_THAT(text, HasSubstr(Requests("OTHER", "unknown", "4xx", 1)));
}

bool Becomes(const telemetry::Gauge& gauge, std::int64_t value) {
  const auto end = Clock::now() + std::chrono::seconds(5);
  while (gauge.value() != value && Clock::now() < end) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  return gauge.value() == value;
}

TEST(ServerMetrics, FollowAServer) {
  ServerMetrics metrics(MakeTable());
  std::int64_t in_flight = 0;
  RunningServer server(
      [&](const Request&) -> Task<Response> {
        in_flight = metrics.requests_in_flight.value();
        co_return Response{.route_index = kBook};
      },
      {.limits = {.connections = 2}, .clients = std::make_shared<ClientConnections>(2)}, &metrics);
  {
    RawClient first(server.port());
    RawClient second(server.port());
    for (RawClient* client : {&first, &second, &first}) {
      EXPECT_EQ(client->Ask("GET /books/1/ HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
    }
    EXPECT_EQ(in_flight, 1);
    EXPECT_EQ(metrics.requests_in_flight.value(), 0);
    EXPECT_EQ(metrics.connections.value(), 2);
    RawClient third(server.port());
    EXPECT_EQ(third.ReadToEnd(), "");
    EXPECT_EQ(first.Ask("BROKEN\r\n\r\n").status, 400);
  }
  EXPECT_TRUE(Becomes(metrics.connections, 0));
  EXPECT_EQ(metrics.connections_accepted.value(), 2U);
  EXPECT_EQ(metrics.connections_refused_by_client.value(), 1U);
  const std::string text = TextOf(metrics);
  EXPECT_THAT(text, HasSubstr(Requests("GET", "/books/{book_id}/", "2xx", 3)));
  EXPECT_THAT(text, HasSubstr("http_server_refused_requests_total{status=\"4xx\"} 1\n"));
}

}  // namespace
}  // namespace platform::http
