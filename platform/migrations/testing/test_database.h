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

  // Runs SQL; the rows of its last statement. Throws std::runtime_error when it fails.
  std::vector<std::vector<std::string>> Run(const std::string& sql);
  // The one value of a query.
  std::string Value(const std::string& sql);
  // Runs the statements of a file, such as pg_dump writes it.
  void Load(const std::filesystem::path& file);

  // The schema as pg_dump prints it, without the tables that only tell its history, comments and
  // extensions.
  std::string Schema();
  // Everything: schema, data, positions of sequences and the history.
  std::string Dump();

 private:
  std::string PgDump(const std::string& options) const;

  postgres::Settings settings_;
};

// Fails the test unless every migration can be taken back and applied again, each time with the
// schema that it had before. Leaves the database at the latest version.
void WalkStairway(TestDatabase& database, const MigrationSet& set);

}  // namespace platform::migrations
