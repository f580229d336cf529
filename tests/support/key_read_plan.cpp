#include "tests/support/key_read_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <cstddef>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "platform/postgres/client.h"
#include "platform/postgres/test_loop.h"

namespace test_support {

namespace {

using platform::Task;
using platform::postgres::Client;
using platform::postgres::Lane;
using platform::postgres::Planning;
using platform::postgres::Settings;
using platform::postgres::Statement;
using platform::postgres::StatementText;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Returns the plans of a read by key, as text, for several numbers of calls that share the
// statement.
std::vector<std::string> PlansOf(const Settings& settings, const StatementText& statement) {
  const std::string types =
      fmt::format("{}", fmt::join(std::vector<std::string>(statement.keys, "integer[]"), ", "));
  const std::string prepare = fmt::format("PREPARE read ({}) AS {}", types, statement.sql);
  std::vector<std::string> plans;
  platform::postgres::TestLoop loop(settings);
  loop.Run([&](Client& client) -> Task<void> {
    const auto prepared = co_await client.Execute(
        Statement<void>{"prepare", Lane::kKeyRead, prepare.c_str(), Planning::kEachCall});
    if (!prepared) throw std::runtime_error(prepared.error().message);
    for (const std::size_t count : {1UZ, 2UZ, 8UZ, 64UZ, 1000UZ}) {
      const std::vector<std::string> arrays(
          statement.keys,
          fmt::format("'{{{}}}'", fmt::join(std::views::iota(1UZ, count + 1), ",")));
      const std::string explain = fmt::format("EXPLAIN EXECUTE read ({})", fmt::join(arrays, ", "));
      const auto lines = co_await client.Query(
          Statement<std::string>{"explain", Lane::kKeyRead, explain.c_str(), Planning::kEachCall});
      if (!lines) throw std::runtime_error(lines.error().message);
      plans.push_back(fmt::format("{}", fmt::join(*lines, "\n")));
    }
  });
  return plans;
}

}  // namespace

int ExpectIndexPlans(const Settings& settings,
                     const std::vector<std::vector<StatementText>>& stores) {
  int statements = 0;
  for (const StatementText& statement : stores | std::views::join) {
    if (statement.keys == 0) continue;
    ++statements;
    for (const std::string& plan : PlansOf(settings, statement)) {
      EXPECT_THAT(plan,
                  AllOf(HasSubstr("Index"), Not(HasSubstr("Seq Scan")), Not(HasSubstr("Hash")),
                        Not(HasSubstr("hashed")), Not(HasSubstr("Merge"))))
          << statement.name;
    }
  }
  return statements;
}

}  // namespace test_support
