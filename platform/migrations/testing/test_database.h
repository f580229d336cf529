#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "platform/migrations/migrations.h"
#include "platform/postgres/settings.h"

namespace platform::migrations {

// A new, empty database of this process's private cluster, dropped by the destructor.
class TestDatabase {
 public:
  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  const postgres::Settings& settings() const { return settings_; }

  // Runs SQL and returns the rows of the last statement. Throws std::runtime_error if it fails.
  std::vector<std::vector<std::string>> Run(const std::string& sql);
  // Returns the single value of a query.
  std::string Value(const std::string& sql);
  // Runs the statements of a file that pg_dump has written.
  void Load(const std::filesystem::path& file);

  // Returns the schema as pg_dump prints it, without the tables that only record its history,
  // comments and extensions.
  std::string Schema();
  // Returns everything: schema, data, positions of sequences and the history.
  std::string Dump();

 private:
  std::string PgDump(const std::string& options) const;

  postgres::Settings settings_;
};

// Fails the test unless every migration can be reversed and applied again, each time with the
// schema that it had before. Leaves the database at the latest version.
void WalkStairway(TestDatabase& database, const MigrationSet& set);

}  // namespace platform::migrations
