#include "platform/postgres/client.h"

#include <gtest/gtest.h>

#include <boost/describe/class.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "platform/postgres/test_loop.h"
#include "tests/support/postgres_cluster.h"

namespace platform::postgres {

// A domain type like a service's; it cannot be made without a value.
class Label {
 public:
  using Base = std::string;
  explicit Label(std::string text) : text_(std::move(text)) {}
  const std::string& value() const { return text_; }
  static Label Unchecked(std::string text) { return Label(std::move(text)); }
  bool operator==(const Label&) const = default;

 private:
  std::string text_;
};

struct Everything {
  bool yes;
  std::int16_t small;
  std::int32_t normal;
  std::int64_t big;
  std::string text;
  Timestamp time;
  std::vector<std::int32_t> numbers;
  Label label;
  std::optional<std::int32_t> maybe;
  std::optional<Label> maybe_label;
  bool operator==(const Everything&) const = default;
};
BOOST_DESCRIBE_STRUCT(Everything, (),
                      (yes, small, normal, big, text, time, numbers, label, maybe, maybe_label))

struct Numbered {
  std::int32_t id;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(Numbered, (), (id, text))

namespace {

using namespace std::chrono_literals;
using test_support::PostgresCluster;
using Kind = QueryError::Kind;

constexpr Statement<Everything, bool, std::int16_t, std::int32_t, std::int64_t, std::string,
                    Timestamp, std::vector<std::int32_t>, Label, std::optional<std::int32_t>,
                    std::optional<Label>>
    kEcho{"echo", Lane::kKeyRead, "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10"};
constexpr Statement<Numbered, std::int32_t> kNumbered{"numbered", Lane::kKeyRead,
                                                      "SELECT $1, 'row ' || $1"};
constexpr Statement<std::int32_t, std::int32_t> kInverse{"inverse", Lane::kKeyRead,
                                                         "SELECT 100 / $1"};
constexpr Statement<std::int32_t, std::int32_t> kDouble{"double", Lane::kWrite, "SELECT $1 * 2"};
constexpr Statement<bool, std::int32_t> kSleep{"sleep", Lane::kWrite,
                                               "SELECT pg_sleep($1 / 1000.0) IS NOT NULL"};

class ClientTest : public testing::Test {
 protected:
  static Settings Server() { return PostgresCluster::Shared().Settings(); }
};

TEST_F(ClientTest, ValuesRoundTrip) {
  const Everything full{.yes = true,
                        .small = std::numeric_limits<std::int16_t>::min(),
                        .normal = std::numeric_limits<std::int32_t>::max(),
                        .big = std::numeric_limits<std::int64_t>::min(),
                        .text = "naïve 🛒 \n'quoted' %_\\",
                        .time = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + 304648us,
                        .numbers = {3, -1, 2},
                        .label = Label("a label"),
                        .maybe = 7,
                        .maybe_label = Label("")};
  Everything bare{.yes = false,
                  .small = 0,
                  .normal = 0,
                  .big = 0,
                  .text = "",
                  .time = std::chrono::sys_days(std::chrono::year(-4000) / 1 / 1),
                  .numbers = {},
                  .label = Label(""),
                  .maybe = std::nullopt,
                  .maybe_label = std::nullopt};
  Everything late = full;
  late.time = std::chrono::sys_days(std::chrono::year(30000) / 12 / 31) + 999999us;
  Everything never = full;
  never.time = Timestamp::max();

  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    for (const Everything& row : {full, bare, late, never}) {
      const auto back =
          co_await client.QueryOne(kEcho, row.yes, row.small, row.normal, row.big, row.text,
                                   row.time, row.numbers, row.label, row.maybe, row.maybe_label);
      EXPECT_TRUE(back.has_value()) << back.error().message;
      EXPECT_TRUE(back->value() == row);
    }
  });
}

TEST_F(ClientTest, TimestampsAreWhatTheServerUnderstands) {
  constexpr Statement<std::string, Timestamp> kText{"time_text", Lane::kWrite, "SELECT $1::text"};
  constexpr Statement<Timestamp, std::string> kTime{"text_time", Lane::kWrite,
                                                    "SELECT $1::text::timestamptz"};
  const Timestamp time =
      std::chrono::sys_days(std::chrono::year(1969) / 7 / 20) + 20h + 17min + 1us;
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    const auto text = co_await client.QueryOne(kText, time);
    EXPECT_EQ(text->value(), "1969-07-20 20:17:00.000001+00");
    EXPECT_EQ((co_await client.QueryOne(kTime, text->value()))->value(), time);
    EXPECT_EQ((co_await client.QueryOne(kTime, "-infinity"))->value(), Timestamp::min());
  });
}

TEST_F(ClientTest, QueryExecuteAndNoRows) {
  constexpr Statement<Numbered, std::int32_t> kSeries{
      "series", Lane::kWrite, "SELECT i, 'n' || i FROM generate_series(1, $1) i ORDER BY i"};
  constexpr Statement<void> kCreate{"create", Lane::kWrite,
                                    "CREATE TABLE IF NOT EXISTS counted (id int)"};
  constexpr Statement<void, std::vector<std::int32_t>> kInsert{
      "insert", Lane::kWrite, "INSERT INTO counted SELECT unnest($1)"};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    const auto rows = co_await client.Query(kSeries, 1000);
    EXPECT_EQ(rows->size(), 1000U);
    EXPECT_EQ(rows->back().text, "n1000");
    EXPECT_TRUE((co_await client.Query(kSeries, 0))->empty());
    EXPECT_EQ((co_await client.QueryOne(kSeries, 0)).value().has_value(), false);
    EXPECT_EQ((co_await client.Execute(kCreate)).value(), 0U);
    EXPECT_EQ((co_await client.Execute(kInsert, std::vector{1, 2, 3})).value(), 3U);
  });
}

TEST_F(ClientTest, ArgumentsNeedNotOutliveTheCall) {
  constexpr Statement<std::string, std::string> kText{"text", Lane::kWrite, "SELECT $1"};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    auto later = client.QueryOne(kText, std::string(100, 'x'));
    EXPECT_EQ((co_await std::move(later))->value(), std::string(100, 'x'));
  });
}

TEST_F(ClientTest, ThousandsOfInterleavedStatementsEachGetTheirOwnRow) {
  constexpr int kCallers = 64;
  constexpr int kCalls = 100;
  TestLoop loop(Server());
  int right = 0;
  int refused = 0;
  int running = kCallers;
  for (int caller = 0; caller < kCallers; ++caller) {
    loop.Spawn([&, caller] -> Task<void> {
      for (int call = 0; call < kCalls; ++call) {
        const int id = caller * kCalls + call;
        if (call % 7 == 3) {  // An error in the middle affects only its own caller.
          const auto row = co_await loop.client().QueryOne(kInverse, 0);
          refused += !row && row.error().sqlstate == "22012" ? 1 : 0;
        } else if (call % 7 == 5) {
          const auto row = co_await loop.client().QueryOne(kDouble, id);
          right += row && **row == id * 2 ? 1 : 0;
        } else {
          const auto row = co_await loop.client().QueryOne(kNumbered, id);
          right += row && (*row)->id == id && (*row)->text == "row " + std::to_string(id) ? 1 : 0;
        }
      }
      --running;
    });
  }
  loop.Run([&](Client&) -> Task<void> {
    while (running > 0) {
      co_await loop.Sleep(5ms);
    }
  });
  EXPECT_EQ(refused, kCallers * 14);
  EXPECT_EQ(right + refused, kCallers * kCalls);
}

TEST_F(ClientTest, ViolationsNameTheirConstraint) {
  PostgresCluster::Shared().Execute(
      "DROP TABLE IF EXISTS people; "
      "CREATE TABLE people (email text CONSTRAINT uq_email UNIQUE)");
  constexpr Statement<void, std::string> kInsert{"insert", Lane::kWrite,
                                                 "INSERT INTO people VALUES ($1)"};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_EQ((co_await client.Execute(kInsert, "secret@x.org")).value(), 1U);
    const auto again = co_await client.Execute(kInsert, "secret@x.org");
    EXPECT_EQ(again.error().kind, Kind::kRejected);
    EXPECT_EQ(again.error().sqlstate, "23505");
    EXPECT_TRUE(again.error().Violates("uq_email"));
    EXPECT_EQ(again.error().message.find("secret"), std::string::npos);
    EXPECT_EQ((co_await client.Execute(kInsert, "b@x.org")).value(), 1U);
  });
}

TEST_F(ClientTest, AFailedPreparationHurtsOnlyItsCallersAndIsTriedAgain) {
  PostgresCluster::Shared().Execute("DROP TABLE IF EXISTS not_yet");
  constexpr Statement<std::int32_t> kMissing{"missing", Lane::kKeyRead, "SELECT id FROM not_yet"};
  TestLoop loop(Server());
  int failed = 0;
  for (int i = 0; i < 10; ++i) {
    loop.Spawn([&] -> Task<void> {
      const auto row = co_await loop.client().QueryOne(kMissing);
      failed += !row && row.error().sqlstate == "42P01" ? 1 : 0;
    });
  }
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kNumbered, 1)).has_value());
    while (failed < 10) {
      co_await loop.Sleep(1ms);
    }
    PostgresCluster::Shared().Execute("CREATE TABLE not_yet AS SELECT 5 AS id");
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ((co_await client.QueryOne(kMissing))->value(), 5);
    }
  });
}

TEST_F(ClientTest, StatementsOutliveChangesOfTheirTablesAndLostPreparations) {
  PostgresCluster::Shared().Execute(
      "DROP TABLE IF EXISTS shifting; CREATE TABLE shifting AS SELECT 'x'::varchar(5) AS text");
  constexpr Statement<std::string> kAll{"all", Lane::kKeyRead, "SELECT * FROM shifting"};
  constexpr Statement<void> kForget{"forget", Lane::kKeyRead, "DEALLOCATE ALL"};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_EQ((co_await client.QueryOne(kAll))->value(), "x");
    PostgresCluster::Shared().Execute("ALTER TABLE shifting ALTER text TYPE text");
    EXPECT_EQ((co_await client.QueryOne(kAll))->value(), "x");
    EXPECT_EQ((co_await client.QueryOne(kAll))->value(), "x");
    EXPECT_TRUE((co_await client.Execute(kForget)).has_value());
    EXPECT_EQ((co_await client.QueryOne(kAll))->value(), "x");
    EXPECT_EQ((co_await client.QueryOne(kAll))->value(), "x");
  });
}

TEST_F(ClientTest, OneNameForTwoStatementsMixesNothingUp) {
  constexpr Statement<std::int32_t> kOne{"same", Lane::kKeyRead, "SELECT 1"};
  constexpr Statement<std::string> kTwo{"same", Lane::kKeyRead, "SELECT 'two'"};
  constexpr Statement<std::int32_t, std::int32_t> kNarrow{"cast", Lane::kKeyRead, "SELECT $1::int"};
  constexpr Statement<std::int32_t, std::int64_t> kWide{"cast", Lane::kKeyRead, "SELECT $1::int"};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ((co_await client.QueryOne(kOne))->value(), 1);
      EXPECT_EQ((co_await client.QueryOne(kTwo))->value(), "two");
      EXPECT_EQ((co_await client.QueryOne(kNarrow, 3))->value(), 3);
      EXPECT_EQ((co_await client.QueryOne(kWide, std::int64_t{4}))->value(), 4);
    }
  });
}

TEST_F(ClientTest, RowsThatDoNotFitTheirDeclarationThrow) {
  constexpr Statement<Numbered> kOneColumn{"one_column", Lane::kWrite, "SELECT 1"};
  constexpr Statement<std::int32_t> kWrongType{"wrong_type", Lane::kWrite, "SELECT 1::bigint"};
  constexpr Statement<std::int32_t> kNull{"null", Lane::kWrite, "SELECT NULL::int"};
  TestLoop loop(Server());
  const auto query = [&](const auto& statement) {
    loop.Run([&](Client& client) -> Task<void> { co_await client.Query(statement); });
  };
  EXPECT_THROW(query(kOneColumn), std::runtime_error);
  EXPECT_THROW(query(kWrongType), std::runtime_error);
  EXPECT_THROW(query(kNull), std::runtime_error);
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kNumbered, 1)).has_value());
  });
}

TEST_F(ClientTest, LargeValuesGoBothWays) {
  constexpr Statement<std::string, std::string> kText{"text", Lane::kWrite, "SELECT $1 || $1"};
  const std::string large(5'000'000, 'x');
  TestLoop loop(Server());
  int right = 0;
  for (int i = 0; i < 4; ++i) {
    loop.Spawn([&] -> Task<void> {
      const auto row = co_await loop.client().QueryOne(kText, large);
      right += row && (*row)->size() == 2 * large.size() ? 1 : 0;
    });
  }
  loop.Run([&](Client&) -> Task<void> {
    for (int i = 0; i < 1000 && right < 4; ++i) {
      co_await loop.Sleep(10ms);
    }
  });
  EXPECT_EQ(right, 4);
}

constexpr Statement<std::int64_t> kCountConnections{
    "count_connections", Lane::kKeyRead,
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'slow statement'"};

TEST_F(ClientTest, ASlowStatementHoldsUpNobodyInAnotherLane) {
  TestLoop loop(Server(), {.writes = {.connections = 2}, .application_name = "slow statement"});
  bool slept = false;
  loop.Run([&](Client& client) -> Task<void> {
    while ((co_await client.QueryOne(kCountConnections)).value() != 4) {
      co_await loop.Sleep(10ms);
    }
    loop.Spawn([&] -> Task<void> {
      EXPECT_TRUE((co_await loop.client().QueryOne(kSleep, 1000)).has_value());
      slept = true;
    });
    for (int i = 1; i <= 500; ++i) {
      EXPECT_TRUE((co_await client.QueryOne(kNumbered, i)).has_value());
    }
    EXPECT_FALSE(slept);
    // The other connection of its lane is free as well.
    EXPECT_TRUE((co_await client.QueryOne(kDouble, 1)).has_value());
    EXPECT_FALSE(slept);
    while (!slept) {
      co_await loop.Sleep(10ms);
    }
  });
}

TEST_F(ClientTest, SearchesHoldUpOnlySearchesAndHaveAQueueOfTheirOwn) {
  TestLoop loop(Server(), {.searches = {.max_in_flight = 2}});
  int searching = 2;
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kSleep.In(Lane::kSearch), 0)).has_value());
    for (int i = 0; i < 2; ++i) {
      loop.Spawn([&] -> Task<void> {
        EXPECT_TRUE((co_await loop.client().QueryOne(kSleep.In(Lane::kSearch), 500)).has_value());
        --searching;
      });
    }
    for (int i = 1; i <= 100; ++i) {
      EXPECT_TRUE((co_await client.QueryOne(kNumbered, i)).has_value());
      EXPECT_TRUE((co_await client.QueryOne(kDouble, i)).has_value());
    }
    EXPECT_EQ(searching, 2);
    const auto refused = co_await client.QueryOne(kSleep.In(Lane::kSearch), 0);
    EXPECT_EQ(refused.error().kind, Kind::kOverloaded);
    while (searching > 0) co_await loop.Sleep(10ms);
    EXPECT_TRUE((co_await client.QueryOne(kSleep.In(Lane::kSearch), 0)).has_value());
  });
}

TEST_F(ClientTest, SearchesWhoseCallersHaveGivenUpAreNotSent) {
  TestLoop loop(Server(), {.deadline = 500ms});
  int failed = 0;
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kSleep.In(Lane::kSearch), 0)).has_value());
    for (int i = 0; i < 40; ++i) {
      loop.Spawn([&] -> Task<void> {
        const auto row = co_await loop.client().QueryOne(kSleep.In(Lane::kSearch), 400);
        failed += row ? 0 : 1;
      });
    }
    co_await loop.Sleep(600ms);
    EXPECT_GE(failed, 39);
    const auto before = std::chrono::steady_clock::now();
    while (!co_await client.QueryOne(kSleep.In(Lane::kSearch), 0)) co_await loop.Sleep(10ms);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 4s);
  });
}

TEST_F(ClientTest, AStatementTimeoutHurtsOnlyItsCaller) {
  TestLoop loop(Server(), {.writes = {.connections = 1}, .deadline = 3000ms});
  bool behind = false;
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kSleep, 0)).has_value());
    loop.Spawn([&] -> Task<void> {
      co_await loop.Sleep(1500ms);
      behind = (co_await loop.client().QueryOne(kDouble, 1)).has_value();
    });
    const auto row = co_await client.QueryOne(kSleep, 20000);
    EXPECT_EQ(row.error().kind, Kind::kRejected);
    EXPECT_EQ(row.error().sqlstate, "57014");
    EXPECT_EQ(Logged(row.error()).code, ErrorCode::kUnavailable);
    for (int i = 0; i < 100 && !behind; ++i) co_await loop.Sleep(10ms);
  });
  EXPECT_TRUE(behind);
}

TEST_F(ClientTest, CallsBehindASlowOneTimeOutAloneAndTheConnectionLives) {
  std::vector<std::string> losses;
  TestLoop loop(Server(), {.writes = {.connections = 1},
                           .deadline = 3000ms,
                           .on_connection = [&](bool up, std::string_view message) {
                             if (!up) {
                               losses.emplace_back(message);
                             }
                           }});
  std::vector<std::optional<Kind>> kinds;
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kSleep, 0)).has_value());
    for (int i = 0; i < 4; ++i) {
      loop.Spawn([&] -> Task<void> {
        const auto row = co_await loop.client().QueryOne(kSleep, 1200);
        kinds.push_back(row ? std::nullopt : std::optional(row.error().kind));
      });
    }
    while (kinds.size() < 4) {
      co_await loop.Sleep(10ms);
    }
    EXPECT_TRUE((co_await client.QueryOne(kSleep, 0)).has_value());
  });
  EXPECT_EQ(kinds, (std::vector<std::optional<Kind>>{std::nullopt, std::nullopt, Kind::kTimeout,
                                                     Kind::kTimeout}));
  EXPECT_TRUE(losses.empty());
}

TEST_F(ClientTest, TheQueueIsBounded) {
  TestLoop loop(Server(), {.key_reads = {.max_in_flight = 10}});
  int overloaded = 0;
  int answered = 0;
  for (int i = 0; i < 15; ++i) {
    loop.Spawn([&, i] -> Task<void> {
      const auto row = co_await loop.client().QueryOne(kNumbered, i);
      (row ? answered : overloaded) += 1;
      if (!row) {
        EXPECT_EQ(row.error().kind, Kind::kOverloaded);
        EXPECT_EQ(Logged(row.error()).code, ErrorCode::kUnavailable);
      }
    });
  }
  loop.Run([&](Client& client) -> Task<void> {
    while (answered + overloaded < 15) {
      co_await loop.Sleep(1ms);
    }
    EXPECT_TRUE((co_await client.QueryOne(kNumbered, 1)).has_value());
  });
  EXPECT_EQ(answered, 10);
  EXPECT_EQ(overloaded, 5);
}

TEST_F(ClientTest, NoticesGoToTheCallback) {
  constexpr Statement<void> kNotice{"notice", Lane::kWrite,
                                    "DO $$ BEGIN RAISE WARNING 'mind the gap'; END $$"};
  std::vector<std::string> notices;
  TestLoop loop(Server(),
                {.on_notice = [&](std::string_view text) { notices.emplace_back(text); }});
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.Execute(kNotice)).has_value());
  });
  EXPECT_EQ(notices, std::vector<std::string>{"mind the gap"});
}

TEST_F(ClientTest, SessionsAreSetUp) {
  constexpr Statement<std::string, std::string> kSetting{"setting", Lane::kWrite,
                                                         "SELECT current_setting($1)"};
  TestLoop loop(Server(), {.deadline = 2000ms, .application_name = "test"});
  loop.Run([&](Client& client) -> Task<void> {
    const std::vector<std::pair<std::string, std::string>> expected{{"TimeZone", "UTC"},
                                                                    {"client_encoding", "UTF8"},
                                                                    {"statement_timeout", "1800ms"},
                                                                    {"application_name", "test"}};
    for (const auto& [name, value] : expected) {
      for (const Lane lane : {Lane::kKeyRead, Lane::kWrite, Lane::kSearch}) {
        EXPECT_EQ((co_await client.QueryOne(kSetting.In(lane), name))->value(), value) << name;
      }
    }
    EXPECT_TRUE(client.connected());
  });
}

TEST_F(ClientTest, WhatIsPlannedAtEachCallIsNotPrepared) {
  constexpr Statement<std::int32_t> kOnce{"once", Lane::kKeyRead, "SELECT 1"};
  constexpr Statement<std::int32_t> kEachCall{"each_call", Lane::kKeyRead, "SELECT 2",
                                              Planning::kEachCall};
  constexpr Statement<std::string> kPrepared{
      "prepared", Lane::kKeyRead, "SELECT string_agg(statement, ',') FROM pg_prepared_statements",
      Planning::kEachCall};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_EQ((co_await client.QueryOne(kOnce))->value(), 1);
    EXPECT_EQ((co_await client.QueryOne(kEachCall))->value(), 2);
    EXPECT_EQ((co_await client.QueryOne(kPrepared))->value(), "SELECT 1");
  });
}

TEST_F(ClientTest, OnlyTheWriteLaneWrites) {
  PostgresCluster::Shared().Execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 1");
  constexpr Statement<void> kDelete{"delete", Lane::kWrite, "DELETE FROM kept"};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    for (const Lane lane : {Lane::kKeyRead, Lane::kSearch}) {
      EXPECT_EQ((co_await client.Execute(kDelete.In(lane))).error().sqlstate, "25006");
    }
    EXPECT_EQ((co_await client.Execute(kDelete)).value(), 1U);
  });
}

// Executes `odd` among ten calls of kNumbered in one turn of the loop, so that all are sent
// together. The ten must return the right rows.
Task<std::expected<std::size_t, QueryError>> ExecuteAmongReads(TestLoop& loop,
                                                               const Statement<void>& odd) {
  std::expected<std::size_t, QueryError> answer;
  int right = 0;
  int waiting = 11;
  for (std::int32_t id = 0; id < 11; ++id) {
    loop.Spawn([&, id] -> Task<void> {
      if (id == 5) {
        answer = co_await loop.client().Execute(odd);
      } else {
        const auto row = co_await loop.client().QueryOne(kNumbered, id);
        right += row && (*row)->id == id ? 1 : 0;
      }
      --waiting;
    });
  }
  while (waiting > 0) co_await loop.Sleep(1ms);
  EXPECT_EQ(right, 10);
  co_return answer;
}

TEST_F(ClientTest, AFailedPreparationAmongReadsOfOneTurnHurtsOnlyItsOwnCaller) {
  constexpr Statement<void> kNever{"never", Lane::kKeyRead, "SELECT FROM never_there"};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kInverse, 1)).has_value());
    for (int round = 0; round < 3; ++round) {  // The first prepares kNumbered as well.
      EXPECT_EQ((co_await ExecuteAmongReads(loop, kNever)).error().sqlstate, "42P01");
    }
  });
}

TEST_F(ClientTest, PreparationsLostAmongReadsOfOneTurnHurtNobody) {
  constexpr Statement<void> kForget{"forget_now", Lane::kKeyRead, "DEALLOCATE ALL",
                                    Planning::kEachCall};
  TestLoop loop(Server());
  loop.Run([&](Client& client) -> Task<void> {
    EXPECT_TRUE((co_await client.QueryOne(kNumbered, 1)).has_value());
    for (int round = 0; round < 3; ++round) {
      EXPECT_TRUE((co_await ExecuteAmongReads(loop, kForget)).has_value());
    }
  });
}

TEST_F(ClientTest, UnixSocketsAndHostNames) {
  Settings socket = Server();
  socket.servers.front().host = PostgresCluster::Shared().directory().string();
  Settings name = Server();
  name.servers.front().host = "localhost";
  for (const Settings& settings : {socket, name}) {
    TestLoop loop(settings);
    loop.Run([&](Client& client) -> Task<void> {
      const auto row = co_await client.QueryOne(kNumbered, 1);
      EXPECT_TRUE(row.has_value()) << row.error().message;
    });
  }
}

TEST(QueryErrorTest, WhatClientsAreTold) {
  const auto told = [](Kind kind, std::string sqlstate = "") {
    return Logged(QueryError{.kind = kind, .sqlstate = std::move(sqlstate)}).code;
  };
  for (const Kind kind : {Kind::kUnavailable, Kind::kTimeout, Kind::kOverloaded}) {
    EXPECT_EQ(told(kind), ErrorCode::kUnavailable);
  }
  for (const char* transient :
       {"57014", "57P01", "57P03", "53300", "40001", "40P01", "55P03", "25006", "08006"}) {
    EXPECT_EQ(told(Kind::kRejected, transient), ErrorCode::kUnavailable) << transient;
  }
  for (const char* fault : {"22012", "23505", "42P01", ""}) {
    EXPECT_EQ(told(Kind::kRejected, fault), ErrorCode::kInternal) << fault;
  }
  EXPECT_TRUE(Logged(QueryError{}).retry_after.has_value());
}

}  // namespace
}  // namespace platform::postgres
