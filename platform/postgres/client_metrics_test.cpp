#include "platform/postgres/client_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <thread>

#include "platform/postgres/client.h"
#include "platform/postgres/test_loop.h"
#include "tests/support/postgres_cluster.h"

namespace platform::postgres {
namespace {

using namespace std::chrono_literals;
using test_support::PostgresCluster;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Statement<std::int32_t, std::int32_t> kInverse{"inverse", Lane::kKeyRead,
                                                         "SELECT 100 / $1"};
constexpr Statement<bool, std::int32_t> kSleep{"sleep", Lane::kWrite,
                                               "SELECT pg_sleep($1 / 1000.0) IS NOT NULL"};

std::string TextOf(const Client& client) {
  telemetry::Report report;
  client.metrics().ReportTo(report);
  return report.Text();
}

std::string Errors(std::string_view error, int count) {
  return R"(db_client_operation_errors_total{statement="inverse",error=")" + std::string(error) +
         "\"} " + std::to_string(count) + "\n";
}

TEST(ClientMetricsTest, CountByStatementAndError) {
  TestLoop loop(PostgresCluster::Shared().Settings());
  loop.Run([&](Client& client) -> Task<void> {
    for (const std::int32_t number : {1, 2, 0, 5, 0}) co_await client.QueryOne(kInverse, number);
    const std::string text = TextOf(client);
    EXPECT_THAT(text, HasSubstr("_duration_seconds_count{statement=\"inverse\"} 5\n"));
    EXPECT_THAT(text, HasSubstr(Errors("22", 2)));
    EXPECT_THAT(text, HasSubstr(Errors("timeout", 0)));
    EXPECT_THAT(text, Not(HasSubstr("sleep")));
  });
}

TEST(ClientMetricsTest, TellTheQueueAndTheConnections) {
  TestLoop loop(PostgresCluster::Shared().Settings(),
                {.writes = {.connections = 1, .max_in_flight = 2}});
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_THAT(TextOf(client), HasSubstr("db_client_connections{lane=\"write\"} 0\n"));
    int answered = 0;
    for (int i = 0; i < 2; ++i) {
      loop.Spawn([&] -> Task<void> {
        const auto row = co_await loop.client().QueryOne(kSleep, 100);
        answered += row ? 1 : 0;
      });
    }
    co_await loop.Sleep(1ms);
    const auto refused = co_await client.QueryOne(kSleep, 1);
    EXPECT_EQ(refused.error().kind, QueryError::Kind::kOverloaded);
    std::string text = TextOf(client);
    EXPECT_THAT(text, HasSubstr("db_client_operations_in_flight{lane=\"write\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("db_client_operations_in_flight{lane=\"key_read\"} 0\n"));
    EXPECT_THAT(text, HasSubstr("db_client_operations_limit{lane=\"write\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("statement=\"sleep\",error=\"overloaded\"} 1\n"));
    while (answered < 2) co_await loop.Sleep(5ms);
    text = TextOf(client);
    EXPECT_THAT(text, HasSubstr("db_client_operations_in_flight{lane=\"write\"} 0\n"));
    EXPECT_THAT(text, HasSubstr("db_client_connections{lane=\"write\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("_duration_seconds_count{statement=\"sleep\"} 3\n"));
  });
}

TEST(ClientMetricsTest, MayBeReportedWhileTheClientWorks) {
  TestLoop loop(PostgresCluster::Shared().Settings());
  std::atomic<int> reports = 0;
  const std::jthread scraper([&](const std::stop_token& stop) {
    for (; !stop.stop_requested(); ++reports) TextOf(loop.client());
  });
  loop.Run([&](Client& client) -> Task<void> {
    co_await client.QueryOne(kSleep, 1);
    for (int i = 0; i < 100 || reports < 10; ++i) co_await client.QueryOne(kInverse, i % 2);
  });
  EXPECT_THAT(TextOf(loop.client()), HasSubstr("_duration_seconds_count{statement=\"sleep\"} 1\n"));
}

TEST(ClientMetricsTest, CountLostConnections) {
  PostgresCluster cluster;
  TestLoop loop(cluster.Settings(), {.writes = {.connections = 1}});
  loop.Run([&](Client& client) -> Task<void> {
    co_await client.QueryOne(kSleep, 1);
    EXPECT_THAT(TextOf(client), HasSubstr("_connection_failures_total{lane=\"write\"} 0\n"));
    cluster.Stop();
    co_await loop.Sleep(100ms);
    EXPECT_FALSE(co_await client.QueryOne(kSleep, 1));
    const std::string text = TextOf(client);
    EXPECT_THAT(text, HasSubstr("db_client_connections{lane=\"write\"} 0\n"));
    EXPECT_THAT(text, Not(HasSubstr("_connection_failures_total{lane=\"write\"} 0\n")));
    EXPECT_THAT(text, HasSubstr("statement=\"sleep\",error=\"unavailable\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("db_client_operations_in_flight{lane=\"write\"} 0\n"));
  });
}

}  // namespace
}  // namespace platform::postgres
