// Tests the client when the server disappears, or the client itself is destroyed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "platform/postgres/client.h"
#include "platform/postgres/test_loop.h"
#include "tests/support/postgres_cluster.h"

namespace platform::postgres {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using test_support::PostgresCluster;
using Clock = std::chrono::steady_clock;
using Kind = QueryError::Kind;

constexpr Statement<std::int32_t, std::int32_t> kEcho{"echo", Lane::kKeyRead, "SELECT $1"};
constexpr Statement<bool, std::int32_t> kSleep{"sleep", Lane::kWrite,
                                               "SELECT pg_sleep($1 / 1000.0) IS NOT NULL"};
constexpr Statement<std::int32_t> kPid{"pid", Lane::kWrite, "SELECT pg_backend_pid()"};

// Calls until one succeeds; returns false after five seconds of failures. No failure may take
// longer than the deadline.
Task<bool> Recovers(TestLoop& loop, Client& client) {
  const auto end = Clock::now() + 5s;
  while (Clock::now() < end) {
    if (const auto row = co_await client.QueryOne(kEcho, 7); row && **row == 7) {
      co_return true;
    }
    co_await loop.Sleep(20ms);
  }
  co_return false;
}

TEST(RecoveryTest, ATerminatedBackendFailsItsCallsAndIsReplaced) {
  PostgresCluster& cluster = PostgresCluster::Shared();
  TestLoop loop(cluster.Settings(), {.writes = {.connections = 1}});
  std::vector<Kind> kinds;
  loop.Run([&](Client& client) -> Task<void> {
    const std::int32_t pid = (co_await client.QueryOne(kPid))->value();
    for (int i = 0; i < 5; ++i) {
      loop.Spawn([&] -> Task<void> {
        const auto row = co_await loop.client().QueryOne(kSleep, 2000);
        kinds.push_back(row.error().kind);
      });
    }
    co_await loop.Sleep(50ms);
    cluster.Execute("SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
    const auto before = Clock::now();
    while (kinds.size() < 5 && Clock::now() - before < 1s) {
      co_await loop.Sleep(5ms);
    }
    EXPECT_EQ(kinds, std::vector<Kind>(5, Kind::kUnavailable));
    // The session had answered before, so the next connection is made at once and calls wait for
    // it.
    const auto next = co_await client.QueryOne(kPid);
    EXPECT_TRUE(next.has_value()) << next.error().message;
    EXPECT_NE(next->value(), pid);
  });
}

TEST(RecoveryTest, AnIdleConnectionThatDiesIsReplaced) {
  PostgresCluster& cluster = PostgresCluster::Shared();
  int lost = 0;
  TestLoop loop(cluster.Settings(),
                {.writes = {.connections = 1},
                 .on_connection = [&](bool up, std::string_view) { lost += up ? 0 : 1; }});
  loop.Run([&](Client& client) -> Task<void> {
    const std::int32_t pid = (co_await client.QueryOne(kPid))->value();
    cluster.Execute("SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
    while (lost == 0) {
      co_await loop.Sleep(1ms);
    }
    EXPECT_NE((co_await client.QueryOne(kPid))->value(), pid);
  });
  EXPECT_EQ(lost, 1);
}

TEST(RecoveryTest, ACrashedServerUnderLoadIsReturnedTo) {
  PostgresCluster cluster;
  TestLoop loop(cluster.Settings());
  bool stop = false;
  int running = 32;
  int answered = 0;
  int unavailable = 0;
  Clock::duration longest{};
  for (int caller = 0; caller < 32; ++caller) {
    loop.Spawn([&, caller] -> Task<void> {
      while (!stop) {
        const auto start = Clock::now();
        const auto row = co_await loop.client().QueryOne(kEcho, caller);
        longest = std::max(longest, Clock::now() - start);
        if (row) {
          EXPECT_EQ(**row, caller);
          ++answered;
        } else {
          EXPECT_EQ(row.error().kind, Kind::kUnavailable) << row.error().message;
          ++unavailable;
          co_await loop.Sleep(5ms);
        }
      }
      --running;
    });
  }
  for (int round = 0; round < 2; ++round) {
    loop.Run([&](Client& client) -> Task<void> {
      EXPECT_TRUE(co_await Recovers(loop, client));
      co_await loop.Sleep(100ms);
    });
    const int before = answered;
    EXPECT_GT(before, 0);
    std::thread restart([&] {
      cluster.Stop(PostgresCluster::Shutdown::kImmediate);
      std::this_thread::sleep_for(200ms);
      cluster.Start();
    });
    loop.Run([&](Client& client) -> Task<void> {
      co_await loop.Sleep(300ms);
      EXPECT_TRUE(co_await Recovers(loop, client));
      co_await loop.Sleep(100ms);
    });
    restart.join();
    EXPECT_GT(answered, before);
  }
  EXPECT_GT(unavailable, 0);
  EXPECT_LT(longest, 3500ms);
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE(co_await Recovers(loop, client));
    stop = true;
    while (running > 0) {
      co_await loop.Sleep(1ms);
    }
    // The other lanes recover as well.
    for (int i = 0; i < 200 && !client.connected(); ++i) {
      co_await loop.Sleep(10ms);
    }
    EXPECT_TRUE(client.connected());
  });
}

TEST(RecoveryTest, CallsFailAtOnceWhileTheServerIsAway) {
  PostgresCluster cluster;
  cluster.Stop();
  TestLoop loop(cluster.Settings(), {.initial_backoff = 100ms, .max_backoff = 200ms});
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_EQ((co_await client.QueryOne(kEcho, 1)).error().kind, Kind::kUnavailable);
    const auto before = Clock::now();
    const auto row = co_await client.QueryOne(kEcho, 1);
    EXPECT_EQ(row.error().kind, Kind::kUnavailable);
    EXPECT_FALSE(row.error().message.empty());
    EXPECT_LT(Clock::now() - before, 500ms);
    EXPECT_FALSE(client.connected());
    cluster.Start();
    EXPECT_TRUE(co_await Recovers(loop, client));
  });
}

TEST(RecoveryTest, ACommitWithoutItsSynchronousStandbyIsUnknown) {
  constexpr Statement<void, std::int32_t> kWrite{"write", Lane::kWrite,
                                                 "INSERT INTO numbers VALUES ($1)"};
  PostgresCluster cluster;
  cluster.Execute("CREATE TABLE numbers (number integer)");
  // Whatever is set for the role, the warning arrives.
  cluster.Execute("ALTER ROLE postgres SET client_min_messages = error");
  const auto set_standby = [&](const std::string& name) {
    cluster.Execute("ALTER SYSTEM SET synchronous_standby_names = '" + name + "'");
    cluster.Execute("SELECT pg_reload_conf()");
  };
  TestLoop loop(cluster.Settings(), {.writes = {.connections = 1}, .deadline = 30s});
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.Execute(kWrite, 0)).has_value());
    set_standby("missing");
    std::vector<std::expected<std::size_t, QueryError>> results;
    for (const std::int32_t number : {1, 2, 3}) {
      loop.Spawn([&, number] -> Task<void> {
        results.push_back(co_await loop.client().Execute(kWrite, number));
      });
    }
    // The server has committed, and waits for the standby. Nobody sees the row yet.
    const auto next_waits = [&](const std::string& rows) -> Task<void> {
      while (cluster
                 .Execute("SELECT FROM pg_stat_activity, (SELECT count(*) FROM numbers) AS seen "
                          "WHERE wait_event = 'SyncRep' AND count = " +
                          rows)
                 .empty()) {
        co_await loop.Sleep(5ms);
      }
    };
    co_await next_waits("1");
    EXPECT_TRUE(results.empty());
    cluster.Execute(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    // Only the cancelled one is unknown; the others wait until they are confirmed.
    co_await next_waits("2");
    while (results.empty()) co_await loop.Sleep(1ms);
    set_standby("");
    while (results.size() < 3) co_await loop.Sleep(1ms);
    EXPECT_FALSE(results[0].has_value());
    EXPECT_EQ(results[0].error().kind, Kind::kUnavailable);
    EXPECT_TRUE(results[1].has_value());
    EXPECT_TRUE(results[2].has_value());
  });
  EXPECT_EQ(cluster.Execute("SELECT count(*) FROM numbers"),
            (std::vector<std::vector<std::string>>{{"4"}}));
}

TEST(RecoveryTest, ACommitThatWaitsForItsStandbyEndsByItsDeadline) {
  constexpr Statement<void> kWrite{"write", Lane::kWrite, "INSERT INTO numbers VALUES (1)"};
  PostgresCluster cluster;
  cluster.Execute("CREATE TABLE numbers (number integer)");
  cluster.Execute("ALTER SYSTEM SET synchronous_standby_names = 'missing'");
  cluster.Execute("SELECT pg_reload_conf()");
  TestLoop loop(cluster.Settings(), {.deadline = 500ms});
  loop.Run([&](Client& client) -> Task<void> {
    const auto before = Clock::now();
    const auto done = co_await client.Execute(kWrite);
    EXPECT_FALSE(done.has_value());
    EXPECT_NE(done.error().kind, Kind::kRejected);
    EXPECT_GE(Clock::now() - before, 400ms);
    // Reads go on meanwhile.
    EXPECT_TRUE((co_await client.QueryOne(kEcho, 1)).has_value());
  });
}

// A server that accepts connections and sends nothing.
class BlackHole {
 public:
  Settings settings() const {
    return {.servers = {{.host = "127.0.0.1", .port = acceptor_.local_endpoint().port()}},
            .database = "x",
            .user = "x",
            .password = Secret("hunter2"),
            .sslmode = "disable"};
  }

 private:
  boost::asio::io_context context_;
  tcp::acceptor acceptor_{context_, {boost::asio::ip::address_v4::loopback(), 0}};
};

TEST(RecoveryTest, ABlackHoleFailsCallsWithinTheirDeadline) {
  const BlackHole hole;
  for (const bool connect_first : {true, false}) {
    ClientOptions options{.deadline = 300ms};
    options.connect_timeout = connect_first ? 150ms : 2000ms;
    std::string said;
    options.on_connection = [&](bool, std::string_view message) { said += message; };
    TestLoop loop(hole.settings(), options);
    loop.Run([&](Client& client) -> Task<void> {
      const auto before = Clock::now();
      const auto row = co_await client.QueryOne(kEcho, 1);
      EXPECT_EQ(row.error().kind, connect_first ? Kind::kUnavailable : Kind::kTimeout);
      EXPECT_LT(Clock::now() - before, 1s);
      co_await loop.Sleep(400ms);
      EXPECT_EQ(client.connected(), false);
    });
    EXPECT_EQ(said.find("hunter2"), std::string::npos);
    EXPECT_EQ(said.empty(), !connect_first);
  }
}

// Forwards bytes between client and server, and drops them on request.
class Proxy {
 public:
  Proxy(boost::asio::io_context& context, std::uint16_t server)
      : acceptor_(context, {boost::asio::ip::address_v4::loopback(), 0}), server_(server) {
    boost::asio::co_spawn(context, Accept(), [](const std::exception_ptr&) {});
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void Swallow(bool swallow) { swallow_ = swallow; }

 private:
  Task<void> Accept() {
    while (true) {
      auto client = std::make_shared<tcp::socket>(
          co_await acceptor_.async_accept(boost::asio::use_awaitable));
      auto server = std::make_shared<tcp::socket>(client->get_executor());
      co_await server->async_connect({boost::asio::ip::address_v4::loopback(), server_},
                                     boost::asio::use_awaitable);
      for (const auto& [from, to] : {std::pair(client, server), std::pair(server, client)}) {
        boost::asio::co_spawn(client->get_executor(), Pass(from, to),
                              [](const std::exception_ptr&) {});
      }
    }
  }

  Task<void> Pass(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to) {
    std::array<char, 65536> buffer;
    try {
      while (true) {
        std::size_t size =
            co_await from->async_read_some(boost::asio::buffer(buffer), boost::asio::use_awaitable);
        for (std::size_t sent = 0; !swallow_ && sent < size;) {
          sent += co_await to->async_write_some(
              boost::asio::buffer(buffer.data() + sent, size - sent), boost::asio::use_awaitable);
        }
      }
    } catch (const boost::system::system_error&) {
      to->close();
    }
  }

  tcp::acceptor acceptor_;
  std::uint16_t server_;
  bool swallow_ = false;
};

TEST(RecoveryTest, AnEstablishedConnectionThatFallsSilentIsGivenUp) {
  TestLoop loop(PostgresCluster::Shared().Settings());
  Proxy proxy(loop.context(), PostgresCluster::Shared().port());
  Settings settings = PostgresCluster::Shared().Settings();
  settings.servers.front().port = proxy.port();
  std::vector<std::string> losses;
  Client client(loop.context().get_executor(), settings,
                {.deadline = 300ms,
                 .connect_timeout = 300ms,
                 .on_connection = [&](bool up, std::string_view message) {
                   if (!up) {
                     losses.emplace_back(message);
                   }
                 }});
  std::vector<Kind> kinds;
  loop.Run([&](Client&) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kEcho, 1)).has_value());
    proxy.Swallow(true);
    const auto before = Clock::now();
    for (const auto wait : {0ms, 0ms, 100ms}) {
      loop.Spawn([&, wait] -> Task<void> {
        co_await loop.Sleep(wait);
        kinds.push_back((co_await client.QueryOne(kEcho, 1)).error().kind);
      });
    }
    while (kinds.size() < 3) {
      co_await loop.Sleep(5ms);
    }
    EXPECT_LT(Clock::now() - before, 1s);
    EXPECT_EQ(kinds, (std::vector{Kind::kTimeout, Kind::kTimeout, Kind::kUnavailable}));
    EXPECT_THAT(losses, testing::Contains("the server does not answer"));
    proxy.Swallow(false);
    EXPECT_TRUE(co_await Recovers(loop, client));
  });
}

TEST(RecoveryTest, AWrongPasswordIsReportedAndTriedAgain) {
  PostgresCluster cluster;
  cluster.Execute("CREATE ROLE shop LOGIN PASSWORD 'right'");
  cluster.Execute(
      "COPY (VALUES ('local all postgres trust'), ('host all all all scram-sha-256')) "
      "TO '" +
      (cluster.directory() / "pg_hba.conf").string() + "'");
  cluster.Execute("SELECT pg_reload_conf()");
  Settings settings = cluster.Settings();
  settings.user = "shop";
  settings.password = Secret("hunter2");
  std::string said;
  TestLoop loop(settings,
                {.on_connection = [&](bool, std::string_view message) { said += message; }});
  loop.Run([&](Client& client) -> Task<void> {
    const auto row = co_await client.QueryOne(kEcho, 1);
    EXPECT_EQ(row.error().kind, Kind::kUnavailable);
    EXPECT_NE(row.error().message.find("password authentication failed"), std::string::npos);
    EXPECT_EQ(row.error().message.find("hunter2"), std::string::npos);
    cluster.Execute("ALTER ROLE shop PASSWORD 'hunter2'");
    EXPECT_TRUE(co_await Recovers(loop, client));
  });
  EXPECT_EQ(said.find("hunter2"), std::string::npos);
}

TEST(RecoveryTest, ASessionThatBecomesReadOnlyIsGivenUp) {
  PostgresCluster cluster;
  cluster.Execute("CREATE TABLE kept (value int)");
  constexpr Statement<void> kWrite{"write", Lane::kWrite, "INSERT INTO kept VALUES (1)"};
  const auto set_read_only = [&cluster](const char* value) {
    cluster.Execute(std::string("ALTER SYSTEM SET default_transaction_read_only = ") + value);
    cluster.Execute("SELECT pg_reload_conf()");
  };
  TestLoop loop(cluster.Settings());
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.Execute(kWrite)).has_value());
    set_read_only("on");
    for (int i = 0; i < 500 && client.connected(); ++i) {
      co_await client.Execute(kWrite);
      co_await loop.Sleep(10ms);
    }
    EXPECT_FALSE(client.connected());
    EXPECT_TRUE((co_await client.QueryOne(kEcho, 1)).has_value());  // Reads go on.
    set_read_only("off");
    for (int i = 0; i < 500 && !(co_await client.Execute(kWrite)).has_value(); ++i) {
      co_await loop.Sleep(10ms);
    }
    EXPECT_TRUE((co_await client.Execute(kWrite)).has_value());
  });
}

TEST(RecoveryTest, AnUnknownHostIsReported) {
  Settings settings = PostgresCluster::Shared().Settings();
  settings.servers.front().host = "no-such-host.invalid";
  TestLoop loop(settings);
  loop.Run([&](Client& client) -> Task<void> {
    const auto row = co_await client.QueryOne(kEcho, 1);
    EXPECT_TRUE(row.error().kind == Kind::kUnavailable || row.error().kind == Kind::kTimeout);
  });
}

TEST(RecoveryTest, ADestroyedClientFailsWhatWaits) {
  for (const auto settle : {0ms, 100ms}) {  // Before and after it has connected.
    TestLoop loop(PostgresCluster::Shared().Settings());
    std::vector<Kind> kinds;
    for (int i = 0; i < 5; ++i) {
      loop.Spawn([&] -> Task<void> {
        const auto row = co_await loop.client().QueryOne(kSleep, 1000);
        kinds.push_back(row.error().kind);
      });
    }
    loop.Run([&](Client&) -> Task<void> {
      co_await loop.Sleep(settle);
      loop.DestroyClient();
      co_await loop.Sleep(10ms);
    });
    EXPECT_EQ(kinds, std::vector<Kind>(5, Kind::kUnavailable));
  }
}

TEST(RecoveryTest, ACallerMayDestroyTheClientWhenItGoesOn) {
  TestLoop loop(PostgresCluster::Shared().Settings());
  int failed = 0;
  int answered = 0;
  for (int i = 0; i < 10; ++i) {
    loop.Spawn([&] -> Task<void> {
      const auto row = co_await loop.client().QueryOne(kEcho, 1);
      (row ? answered : failed) += 1;
      if (answered == 1) {
        loop.Spawn([&] -> Task<void> {
          failed += (co_await loop.client().QueryOne(kSleep, 1000)).has_value() ? 0 : 1;
        });
        loop.DestroyClient();
        answered = 100;
      }
    });
  }
  loop.Run([&](Client&) -> Task<void> { co_await loop.Sleep(200ms); });
  EXPECT_GE(answered, 100);
  EXPECT_GE(failed, 1);
}

TEST(RecoveryTest, AClientMayBeDestroyedBeforeItsLoopRuns) {
  TestLoop loop(PostgresCluster::Shared().Settings());
  loop.DestroyClient();
  loop.context().run();  // Ends because nothing is left to do.
}

TEST(RecoveryTest, ALoopMayEndWithCallsWaiting) {
  TestLoop loop(PostgresCluster::Shared().Settings());
  loop.Spawn([&] -> Task<void> { co_await loop.client().QueryOne(kSleep, 1000); });
  loop.Run([&](Client&) -> Task<void> { co_await loop.Sleep(50ms); });
}

}  // namespace
}  // namespace platform::postgres
