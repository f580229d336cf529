#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/postgres/settings.h"

namespace platform::migrations {

// One step of a schema and the way back.
struct Migration {
  int version = 0;
  std::string_view name;      // As its files are named: V001__create_users
  std::string_view up;        // SQL; runs inside a transaction, which it must not end.
  std::string_view down;      // The same, for the way back.
  std::string_view checksum;  // Of `up`: an applied migration must never change.
};

// A database that another tool (Alembic) brought to `alembic_revision` holds the schema that the
// migrations up to `version` make.
struct Adoption {
  std::string_view alembic_revision;
  int version = 0;
};

// The schema of one database. All texts outlive the set.
struct MigrationSet {
  std::span<const Migration> migrations;  // Versions 1, 2, 3, … in order: see from_files.h.
  std::string_view demo;                  // Idempotent SQL for the latest version; may be empty.
  std::span<const Adoption> adoptions;

  int LatestVersion() const { return static_cast<int>(migrations.size()); }
};

// Answers one row with one integer: the version that a database is at. Fails with SQLSTATE 42P01
// (undefined_table) on a database that was never migrated.
inline constexpr const char* kSchemaVersionSql =
    "SELECT coalesce(max(version), 0) FROM schema_migrations";

// What went wrong and what to do about it, in words for an operator; may have several lines.
struct MigrationError {
  std::string message;
};

struct StatusLine {
  enum class State {
    kApplied,
    kPending,
    kChanged,  // Applied, but its file is not what it was then.
    kUnknown,  // Applied, but not part of the set: a newer program did it.
  };
  int version = 0;
  std::string name;
  State state = State::kPending;
  std::string applied_at;  // "2026-11-22 23:14:47 UTC"; empty where pending.
};

struct Status {
  std::vector<StatusLine> lines;  // By version.
  // That the schema is at, also where none of its migrations was applied by us (see below).
  int version = 0;
  // The database is one that Up would take over: its alembic revision. Otherwise empty.
  std::string adoptable_revision;
};

struct RunnerOptions {
  // Called with one line at a time, for people; on the caller's thread.
  std::function<void(std::string_view)> progress = [](std::string_view) {};
  // How long to try again while there is no server, or one that still starts up.
  std::chrono::seconds connect_wait{0};
  // How long to wait for another runner to finish.
  std::chrono::seconds runner_wait{60};
  // How long a migration may wait for a table that others use. They queue behind it meanwhile.
  std::chrono::seconds table_wait{10};
};

// Brings a database to a version of its schema.
//
// Each migration is a transaction of its own, noted in the table schema_migrations: one that fails
// leaves nothing behind, and those before it stay. A runner holds an advisory lock of the database,
// so that two never work at once. A database is refused, unchanged, where its history is not that
// of the set: an applied migration changed, a newer version than the set knows, tables without any
// history, or an unknown alembic revision. One at a known revision is adopted: the migrations
// that it stands for are noted as applied along with the first that runs. Its alembic_version
// stays, but has no say from then on.
//
// Every call connects anew and blocks. A runner is for one thread; several runners may race.
class Runner {
 public:
  // `set` must outlive the runner.
  Runner(postgres::Settings settings, const MigrationSet& set, RunnerOptions options = {});

  std::expected<void, MigrationError> Up();
  // Takes back the last migration, and the data that only it had room for.
  std::expected<void, MigrationError> Down();
  // Up or down to a version; 0 is before the first migration.
  std::expected<void, MigrationError> To(int version);
  // Installs the set's demo data. Only at the latest version.
  std::expected<void, MigrationError> InstallDemo();
  // Changes nothing and waits for no other runner.
  std::expected<Status, MigrationError> GetStatus();

 private:
  postgres::Settings settings_;
  const MigrationSet& set_;
  RunnerOptions options_;
};

}  // namespace platform::migrations
