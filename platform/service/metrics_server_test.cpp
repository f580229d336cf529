#include "platform/service/metrics_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "platform/http/testing/raw_client.h"

namespace platform::service {
namespace {

using http::testing::RawClient;
using testing::HasSubstr;

constexpr telemetry::Metric kSold{"books_sold_total", "Books sold."};

std::string Request(std::string_view method, std::string_view path) {
  return std::string(method) + ' ' + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

TEST(MetricsServer, TellsWhatItsSourceCounts) {
  telemetry::Counter sold;
  const auto server =
      MetricsServer::Start("127.0.0.1", 0, "bookshop",
                           [&](telemetry::Report& report) { report.AddCounter(kSold, {}, sold); });
  ASSERT_TRUE(server) << server.error();
  RawClient client(server->port());
  for (const char* expected : {"books_sold_total 0\n", "books_sold_total 1\n"}) {
    const auto answer = client.Ask(Request("GET", "/metrics"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.Header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(answer.body, HasSubstr(expected));
    EXPECT_THAT(answer.body, HasSubstr("microcart_build_info{service=\"bookshop\""));
    EXPECT_THAT(answer.body, HasSubstr("\nprocess_open_fds "));
    sold.Add();
  }
}

TEST(MetricsServer, HasNothingElse) {
  const auto server = MetricsServer::Start("127.0.0.1", 0, "bookshop", [](telemetry::Report&) {});
  ASSERT_TRUE(server) << server.error();
  RawClient client(server->port());
  EXPECT_EQ(client.Ask(Request("GET", "/")).status, 404);
  EXPECT_EQ(client.Ask(Request("POST", "/metrics")).status, 405);
}

TEST(MetricsServer, NamesAPortThatIsTaken) {
  boost::asio::io_context context;
  const boost::asio::ip::tcp::acceptor taken(
      context, {boost::asio::ip::make_address("127.0.0.1"), 0}, /*reuse_addr=*/false);
  const std::uint16_t port = taken.local_endpoint().port();
  const auto server =
      MetricsServer::Start("127.0.0.1", port, "bookshop", [](telemetry::Report&) {});
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error(), HasSubstr("127.0.0.1 port " + std::to_string(port)));
}

}  // namespace
}  // namespace platform::service
