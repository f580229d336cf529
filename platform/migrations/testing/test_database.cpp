#include "platform/migrations/testing/test_database.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "tests/support/postgres_cluster.h"

namespace platform::migrations {
namespace {

using test_support::PostgresCluster;

// Returns a shell command's output. The command must succeed.
std::string Output(const std::string& command) {
  struct ClosePipe {
    void operator()(std::FILE* pipe) const { pclose(pipe); }
  };
  // NOLINTNEXTLINE(bugprone-command-processor): the function runs shell commands.
  std::unique_ptr<std::FILE, ClosePipe> pipe{popen(command.c_str(), "r")};
  if (!pipe) {
    throw std::runtime_error("cannot run " + command);
  }
  std::string output;
  std::array<char, 4096> buffer{};
  while (const auto size = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    output.append(buffer.data(), size);
  }
  if (pclose(pipe.release()) != 0) {
    throw std::runtime_error("failed: " + command);
  }
  return output;
}

// Returns pg_dump's output without comments, empty lines and the random key of \restrict.
std::string Statements(const std::string& dump) {
  std::istringstream lines{dump};
  std::string statements;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && !line.starts_with("--") && !line.starts_with("\\restrict") &&
        !line.starts_with("\\unrestrict")) {
      statements += line + "\n";
    }
  }
  return statements;
}

}  // namespace

TestDatabase::TestDatabase() {
  static std::atomic<int> count = 0;
  const std::string name = fmt::format("test_{}", ++count);
  PostgresCluster::Shared().CreateDatabase(name);
  settings_ = PostgresCluster::Shared().Settings(name);
}

TestDatabase::~TestDatabase() { PostgresCluster::Shared().DropDatabase(settings_.database); }

std::vector<std::vector<std::string>> TestDatabase::Run(const std::string& sql) {
  return PostgresCluster::Shared().Execute(sql, settings_.database);
}

std::string TestDatabase::Value(const std::string& sql) { return Run(sql).at(0).at(0); }

void TestDatabase::Load(const std::filesystem::path& file) {
  std::ifstream stream{file};
  if (!stream) {
    throw std::runtime_error("cannot read " + file.string());
  }
  Run(std::string{std::istreambuf_iterator<char>{stream}, {}});
}

std::string TestDatabase::PgDump(const std::string& options) const {
  return Statements(Output(
      fmt::format("/usr/lib/postgresql/15/bin/pg_dump -h '{}' -p {} -U '{}' -d '{}' --no-owner "
                  "--no-privileges {}",
                  settings_.servers.front().host, settings_.servers.front().port, settings_.user,
                  settings_.database, options)));
}

std::string TestDatabase::Schema() {
  // Without -n, pg_dump would print extensions.
  return PgDump("--schema-only -n public -T alembic_version -T schema_migrations");
}

std::string TestDatabase::Dump() { return PgDump("--inserts"); }

void WalkStairway(TestDatabase& database, const MigrationSet& set) {
  Runner runner{database.settings(), set};
  std::vector<std::string> schemas{database.Schema()};
  for (const Migration& migration : set.migrations) {
    SCOPED_TRACE(migration.name);
    const auto up = runner.To(migration.version);
    ASSERT_TRUE(up) << up.error().message;
    schemas.push_back(database.Schema());

    const auto down = runner.Down();
    ASSERT_TRUE(down) << down.error().message;
    ASSERT_EQ(database.Schema(), schemas[schemas.size() - 2]) << "down does not undo up";

    const auto again = runner.To(migration.version);
    ASSERT_TRUE(again) << again.error().message;
    ASSERT_EQ(database.Schema(), schemas.back()) << "the second up differs from the first";
  }
  // All steps at once.
  const auto down = runner.To(0);
  ASSERT_TRUE(down) << down.error().message;
  ASSERT_EQ(database.Schema(), schemas.front());
  const auto up = runner.Up();
  ASSERT_TRUE(up) << up.error().message;
  ASSERT_EQ(database.Schema(), schemas.back());
}

}  // namespace platform::migrations
