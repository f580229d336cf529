// Tests reads by key, of which calls that are made together share a statement.

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/describe/class.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "platform/postgres/client.h"
#include "platform/postgres/test_loop.h"
#include "tests/support/postgres_cluster.h"

namespace platform::postgres {

struct Line {
  std::int32_t number;
  std::optional<std::string> text;
  bool operator==(const Line&) const = default;
};
BOOST_DESCRIBE_STRUCT(Line, (), (number, text))

namespace {

using namespace std::chrono_literals;
using test_support::PostgresCluster;
using Kind = QueryError::Kind;

constexpr std::int32_t kOwners = 60;

// Owner n has n % 5 lines.
constexpr const char* kTables =
    "DROP TABLE IF EXISTS owned; CREATE TABLE owned (owner int, number int, text text, "
    "PRIMARY KEY (owner, number)); "
    "INSERT INTO owned SELECT owner, number, nullif('line ' || owner || '-' || number, 'line 7-1') "
    "FROM generate_series(1, 60) owner, generate_series(1, owner % 5) number";

constexpr KeyedStatement<Line, std::int32_t> kLines{"lines", R"(
SELECT owner, number, text FROM owned WHERE owner = ANY ($1) ORDER BY owner, number)"};
constexpr Statement<Line, std::int32_t> kLinesAlone{"lines_alone", Lane::kWrite, R"(
SELECT number, text FROM owned WHERE owner = $1 ORDER BY number)"};

// At most `size` lines of an owner whose number is greater than `after`.
constexpr KeyedStatement<Line, std::int32_t, std::int32_t, std::int32_t> kPage{"page", R"(
SELECT page.owner, page.after, page.size, line.*
FROM unnest($1, $2, $3) AS page (owner, after, size)
CROSS JOIN LATERAL (
    SELECT number, text FROM owned WHERE owner = page.owner AND number > page.after
    ORDER BY number LIMIT page.size
) AS line
ORDER BY page.owner, page.after, page.size, line.number)"};
constexpr Statement<Line, std::int32_t, std::int32_t, std::int32_t> kPageAlone{"page_alone",
                                                                               Lane::kWrite, R"(
SELECT number, text FROM owned WHERE owner = $1 AND number > $2 ORDER BY number LIMIT $3)"};

constexpr KeyedStatement<std::int32_t, std::int32_t> kInverse{
    "inverse_of_each", "SELECT key, 100 / key FROM unnest($1) AS key"};

// The number of calls with different keys in the statement.
constexpr KeyedStatement<std::int32_t, std::int32_t> kShared{
    "shared", "SELECT key, cardinality($1) FROM unnest($1) AS key"};

class KeyedReadTest : public testing::Test {
 protected:
  static Settings Server() { return PostgresCluster::Shared().Settings(); }

  // Calls `call` with each number below `count` within one turn of the loop, and waits for all.
  template <class Call>
  static Task<void> InOneTurn(TestLoop& loop, std::int32_t count, Call call) {
    std::int32_t running = count;
    for (std::int32_t number = 0; number < count; ++number) {
      loop.Spawn([&, number] -> Task<void> {
        co_await call(number);
        --running;
      });
    }
    // NOLINTNEXTLINE(bugprone-infinite-loop): the coroutines change it.
    while (running > 0) co_await loop.Sleep(1ms);
  }
};

TEST_F(KeyedReadTest, CallsOfOneTurnShareAStatement) {
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_EQ((co_await client.QueryOne(kShared, 7)).value(), 1);
    std::vector<std::int32_t> shared;
    co_await InOneTurn(loop, 10, [&](std::int32_t number) -> Task<void> {
      shared.push_back((co_await client.QueryOne(kShared, number)).value().value());
    });
    EXPECT_EQ(shared, std::vector(10, 10));
    shared.clear();
    co_await InOneTurn(loop, 10, [&](std::int32_t number) -> Task<void> {
      shared.push_back((co_await client.QueryOne(kShared, number % 3)).value().value());
    });
    EXPECT_EQ(shared, std::vector(10, 3));
    EXPECT_EQ((co_await client.QueryOne(kShared, 7)).value(), 1);
  });
}

TEST_F(KeyedReadTest, AStatementIsBounded) {
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kShared, 7)).has_value());
    std::map<std::int32_t, int> calls;  // By the number of calls that share the statement.
    co_await InOneTurn(loop, 200, [&](std::int32_t number) -> Task<void> {
      ++calls[(co_await client.QueryOne(kShared, number)).value().value()];
    });
    EXPECT_EQ(calls, (std::map<std::int32_t, int>{{64, 192}, {8, 8}}));
  });
}

// While the server works, calls gather.
TEST_F(KeyedReadTest, CallsOfSeveralTurnsShareAStatementIfOthersAreNotAnswered) {
  constexpr Statement<bool> kSleep{"sleep_in_reads", Lane::kKeyRead,
                                   "SELECT pg_sleep(0.2) IS NOT NULL"};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kShared, 7)).has_value());
    for (int i = 0; i < 2; ++i) {
      loop.Spawn(
          [&] -> Task<void> { EXPECT_TRUE((co_await client.QueryOne(kSleep)).has_value()); });
    }
    co_await loop.Sleep(1ms);
    std::vector<std::int32_t> shared;
    for (std::int32_t number = 0; number < 10; ++number) {
      loop.Spawn([&, number] -> Task<void> {
        shared.push_back((co_await client.QueryOne(kShared, number)).value().value());
      });
      co_await loop.Sleep(1ms);
    }
    while (shared.size() < 10) co_await loop.Sleep(1ms);
    EXPECT_EQ(shared, std::vector(10, 10));
  });
}

TEST_F(KeyedReadTest, AnErrorHurtsOnlyTheCallerOfItsKey) {
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    for (int round = 0; round < 3; ++round) {  // The first round prepares the statement.
      std::vector<std::int32_t> right;
      int refused = 0;
      co_await InOneTurn(loop, 100, [&](std::int32_t number) -> Task<void> {
        const auto row = co_await client.QueryOne(kInverse, number % 10);
        if (row) {
          right.push_back(**row);
        } else {
          EXPECT_EQ(number % 10, 0);
          EXPECT_EQ(row.error().sqlstate, "22012");
          EXPECT_EQ(row.error().statement, "inverse_of_each");
          ++refused;
        }
      });
      EXPECT_EQ(refused, 10);
      EXPECT_EQ(right.size(), 90U);
      EXPECT_EQ(std::ranges::count(right, 100 / 7), 10);
    }
  });
}

TEST_F(KeyedReadTest, ALostPreparationHurtsNobody) {
  constexpr Statement<void> kForget{"forget_all", Lane::kKeyRead, "DEALLOCATE ALL",
                                    Planning::kEachCall};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ((co_await client.QueryOne(kInverse, 1)).value(), 100);
      EXPECT_TRUE((co_await client.Execute(kForget)).has_value());
      std::vector<std::int32_t> inverses;
      co_await InOneTurn(loop, 10, [&](std::int32_t) -> Task<void> {
        inverses.push_back((co_await client.QueryOne(kInverse, 5)).value().value());
      });
      EXPECT_EQ(inverses, std::vector(10, 20));
    }
  });
}

TEST_F(KeyedReadTest, CallsForSeveralKeysKeepTheirOrder) {
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    std::vector<std::tuple<std::int32_t>> keys;
    for (std::int32_t i = 0; i < 300; ++i) keys.emplace_back(7 * i % 20);
    const auto rows = co_await client.QueryOneOfEach(kInverse, keys);
    EXPECT_EQ(rows.size(), keys.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::int32_t key = std::get<0>(keys[i]);
      EXPECT_EQ(rows[i].has_value(), key != 0) << key;
      if (key != 0) {
        EXPECT_EQ(rows[i]->value(), 100 / key);
      }
    }
    EXPECT_TRUE((co_await client.QueryOneOfEach(kInverse, {})).empty());
  });
}

TEST_F(KeyedReadTest, RowsThatDoNotFitTheirDeclarationAreReported) {
  PostgresCluster::Shared().Execute(kTables);
  constexpr KeyedStatement<std::int32_t, std::int32_t> kNoColumn{"no_key",
                                                                 "SELECT FROM unnest($1)"};
  constexpr KeyedStatement<std::int32_t, std::int32_t> kText{
      "text_key", "SELECT key::text, key FROM unnest($1) AS key"};
  constexpr KeyedStatement<std::int32_t, std::int32_t> kNull{
      "null_key", "SELECT NULL::int, key FROM unnest($1) AS key"};
  constexpr KeyedStatement<std::int32_t, std::int32_t> kApart{
      "apart", "SELECT key, round FROM generate_series(1, 2) AS round, unnest($1 || 1) AS key"};
  constexpr KeyedStatement<std::int32_t, std::int32_t> kWide{
      "wide", "SELECT key, key, key FROM unnest($1) AS key"};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    for (const auto& statement : {kNoColumn, kText, kNull, kApart}) {
      const auto row = co_await client.QueryOne(statement, 5);
      EXPECT_EQ(row.error().kind, Kind::kRejected) << statement.name;
      EXPECT_EQ(row.error().sqlstate, "42804");
    }
  });
  const auto query = [&] {
    loop.Run([&](Client& client) -> Task<void> { co_await client.Query(kWide, 5); });
  };
  EXPECT_THROW(query(), std::runtime_error);
}

TEST_F(KeyedReadTest, ABackendThatDiesFailsAllWhoShareItsStatement) {
  constexpr KeyedStatement<bool, std::int32_t> kDie{"die_at_five", R"(
SELECT key, CASE key WHEN 5 THEN pg_terminate_backend(pg_backend_pid()) ELSE true END
FROM unnest($1) AS key)"};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kDie, 1)).has_value());
    std::vector<Kind> kinds;
    co_await InOneTurn(loop, 11, [&](std::int32_t number) -> Task<void> {
      kinds.push_back((co_await client.QueryOne(kDie, number)).error().kind);
    });
    EXPECT_EQ(kinds, std::vector<Kind>(11, Kind::kUnavailable));
    EXPECT_EQ((co_await client.QueryOne(kDie, 7)).value(), true);
  });
}

// Each of thousands of calls, among errors and lost connections, is answered as the simple
// statement for one call is.
TEST_F(KeyedReadTest, EachOfThousandsOfCallsGetsWhatASingleCallGets) {
  constexpr int kCallers = 64;
  constexpr int kCalls = 80;
  PostgresCluster::Shared().Execute(kTables);
  std::map<std::int32_t, std::vector<Line>> lines;
  std::map<std::tuple<std::int32_t, std::int32_t, std::int32_t>, std::vector<Line>> pages;
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    for (std::int32_t owner = -1; owner <= kOwners + 1; ++owner) {
      lines[owner] = (co_await client.Query(kLinesAlone, owner)).value();
      for (std::int32_t after = 0; after < 3; ++after) {
        for (std::int32_t size = 0; size < 3; ++size) {
          pages[{owner, after, size}] =
              (co_await client.Query(kPageAlone, owner, after, size)).value();
        }
      }
    }
  });

  std::map<std::string, int> outcomes;
  int running = kCallers;
  const auto call = [&](std::minstd_rand& random) -> Task<std::string> {
    const auto below = [&](std::uint32_t end) { return static_cast<std::int32_t>(random() % end); };
    const std::int32_t owner = below(kOwners + 3) - 1;
    const int kind = below(4);
    if (kind == 0) {
      const auto rows = co_await loop.client().Query(kLines, owner);
      if (!rows) co_return "unavailable";
      co_return *rows == lines.at(owner) ? "right" : "wrong lines";
    }
    if (kind == 1) {
      const std::tuple page(owner, below(3), below(3));
      const auto rows = co_await std::apply(
          [&](auto... key) { return loop.client().Query(kPage, key...); }, page);
      if (!rows) co_return "unavailable";
      co_return *rows == pages.at(page) ? "right" : "wrong page";
    }
    if (kind == 2) {
      const std::int32_t key = below(6);
      const auto row = co_await loop.client().QueryOne(kInverse, key);
      if (!row && row.error().kind == Kind::kUnavailable) co_return "unavailable";
      if (key == 0) co_return !row && row.error().sqlstate == "22012" ? "refused" : "not refused";
      co_return row && **row == 100 / key ? "right" : "wrong inverse";
    }
    const auto row = co_await loop.client().QueryOne(kLines, owner);
    if (!row) co_return "unavailable";
    const auto& expected = lines.at(owner);
    co_return expected.empty() ? (*row ? "a line too many" : "right")
                               : (*row == expected.front() ? "right" : "wrong line");
  };
  for (int caller = 0; caller < kCallers; ++caller) {
    loop.Spawn([&, caller] -> Task<void> {
      std::minstd_rand random(static_cast<unsigned>(caller) + 1);
      for (int i = 0; i < kCalls; ++i) {
        std::string outcome = co_await call(random);
        ++outcomes[outcome];
        if (outcome == "unavailable") {
          co_await loop.Sleep(10ms);
          --i;
        }
      }
      --running;
    });
  }
  loop.Run([&](Client&) -> Task<void> {
    int thousands = 0;
    while (running > 0) {
      // All connections are lost after each thousand of answers.
      if (const int now = outcomes["right"] / 1000; now > thousands) {
        thousands = now;
        PostgresCluster::Shared().Execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'microcart'");
      }
      co_await loop.Sleep(1ms);
    }
  });
  EXPECT_GT(outcomes["refused"], 100);
  EXPECT_EQ(outcomes["right"] + outcomes["refused"], kCallers * kCalls);
  outcomes.erase("right");
  outcomes.erase("refused");
  outcomes.erase("unavailable");
  EXPECT_TRUE(outcomes.empty()) << outcomes.begin()->first;
}

// A call that has waited too long ends alone, and those that share its statement are answered.
TEST_F(KeyedReadTest, AnOverdueCallEndsAlone) {
  constexpr Statement<void> kWithoutTimeout{"without_timeout", Lane::kKeyRead,
                                            "SET statement_timeout = 0"};
  constexpr Statement<void, std::int64_t> kWait{"wait_in_reads", Lane::kKeyRead,
                                                "SELECT pg_advisory_lock_shared($1)"};
  constexpr Statement<void, std::int64_t> kLock{"lock", Lane::kWrite,
                                                "SELECT pg_advisory_lock($1)"};
  constexpr Statement<void, std::int64_t> kUnlock{"unlock", Lane::kWrite,
                                                  "SELECT pg_advisory_unlock($1)"};
  TestLoop loop(Server(), {.deadline = 5000ms});
  Client holder(loop.context().get_executor(), Server(), {.writes = {.connections = 1}});
  std::vector<std::string> ends;
  const auto read = [&](std::int32_t key) {
    loop.Spawn([&, key] -> Task<void> {
      const auto row = co_await loop.client().QueryOne(kShared, key);
      const bool is_timeout = !row && row.error().kind == Kind::kTimeout;
      ends.emplace_back(row ? "answer" : is_timeout ? "timeout" : "other error");
    });
  };
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.Execute(kWithoutTimeout)).has_value());
    for (const std::int64_t lock : {1, 2}) co_await holder.Execute(kLock, lock);
    for (const std::int64_t lock : {1, 2}) {
      loop.Spawn([&, lock] -> Task<void> { co_await loop.client().Execute(kWait, lock); });
    }
    co_await loop.Sleep(1ms);
    read(1);
    co_await loop.Sleep(2000ms);
    read(2);
    // The connection brings an answer, so it is not given up when the first call is overdue.
    co_await holder.Execute(kUnlock, std::int64_t{1});
    while (ends.empty()) co_await loop.Sleep(1ms);
    co_await holder.Execute(kUnlock, std::int64_t{2});
    while (ends.size() < 2) co_await loop.Sleep(1ms);
  });
  EXPECT_EQ(ends, (std::vector<std::string>{"timeout", "answer"}));
}

}  // namespace
}  // namespace platform::postgres
