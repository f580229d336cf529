#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "platform/postgres/test_loop.h"
#include "platform/service/health.h"
#include "tests/support/postgres_cluster.h"

namespace platform::service {
namespace {

using namespace std::chrono_literals;
using postgres::Client;
using postgres::Lane;
using postgres::Statement;
using postgres::TestLoop;
using test_support::PostgresCluster;

constexpr Statement<void> kSleep{"sleep", Lane::kKeyRead, "SELECT pg_sleep(0.3)"};

class DatabaseReadiness : public testing::Test {
 protected:
  DatabaseReadiness() { cluster_.Execute("CREATE TABLE schema_migrations AS SELECT 3 AS version"); }

  static Task<void> WaitUntilConnected(TestLoop& loop) {
    for (int i = 0; i < 500 && !loop.client().connected(); ++i) co_await loop.Sleep(10ms);
  }

  PostgresCluster cluster_;
};

TEST_F(DatabaseReadiness, NeedsTheSchemasVersionAndTheServer) {
  TestLoop loop(cluster_.Settings());
  loop.Run([&](Client& client) -> Task<void> {
    co_await WaitUntilConnected(loop);
    EXPECT_TRUE(co_await IsDatabaseReady(client, 3));
    EXPECT_FALSE(co_await IsDatabaseReady(client, 4));
    cluster_.Stop();
    EXPECT_FALSE(co_await IsDatabaseReady(client, 3));
  });
}

TEST_F(DatabaseReadiness, NeedsASessionThatCanWrite) {
  TestLoop loop(cluster_.Settings());
  const auto set_read_only = [this](const char* value) {
    cluster_.Execute(std::string("ALTER SYSTEM SET default_transaction_read_only = ") + value);
    cluster_.Execute("SELECT pg_reload_conf()");
  };
  const auto becomes = [&](bool ready) -> Task<bool> {
    for (int i = 0; i < 500; ++i) {
      if (co_await IsDatabaseReady(loop.client(), 3) == ready) co_return true;
      co_await loop.Sleep(10ms);
    }
    co_return false;
  };
  loop.Run([&](Client&) -> Task<void> {
    EXPECT_TRUE(co_await becomes(true));
    set_read_only("on");
    EXPECT_TRUE(co_await becomes(false));
    set_read_only("off");
    EXPECT_TRUE(co_await becomes(true));
  });
}

TEST_F(DatabaseReadiness, AFullQueueIsNoOutage) {
  TestLoop loop(cluster_.Settings(), {.key_reads = {.max_in_flight = 1}});
  loop.Run([&](Client& client) -> Task<void> {
    co_await WaitUntilConnected(loop);
    bool slept = false;
    loop.Spawn([&] -> Task<void> {
      co_await loop.client().Execute(kSleep);
      slept = true;
    });
    co_await loop.Sleep(1ms);
    EXPECT_TRUE(co_await IsDatabaseReady(client, 3));
    EXPECT_FALSE(slept);
    while (!slept) co_await loop.Sleep(10ms);
  });
}

}  // namespace
}  // namespace platform::service
