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

// One step of a schema, and its reversal.
struct Migration {
  int version = 0;
  std::string_view name;      // As its files are named: V001__create_users
  std::string_view up;        // SQL
  std::string_view down;      // SQL that reverses it.
  std::string_view checksum;  // Checksum of `up`: an applied migration must never change.
  // Whether the SQL runs in one transaction, which it must not end. SQL that runs outside a
  // transaction is run again from its beginning after a failure or a crash, so each of its
  // statements must be repeatable.
  bool up_in_transaction = true;
  bool down_in_transaction = true;
};

// States that a database which another tool (Alembic) brought to `alembic_revision` has the schema
// that the migrations up to `version` make.
struct Adoption {
  std::string_view alembic_revision;
  int version = 0;
};

// The schema of one database. All texts must outlive the set.
struct MigrationSet {
  std::span<const Migration> migrations;  // Versions 1, 2, 3, … in order: see from_files.h.
  std::string_view demo;                  // Idempotent SQL for the latest version; may be empty.
  // Extensions that the migrations create.
  std::span<const std::string_view> extensions;
  // A database at an unknown revision should first be brought to the first of these.
  std::span<const Adoption> adoptions;
  // SQL that returns warnings for the operator about a database that was just adopted, one in each
  // row; may be empty.
  std::string_view adoption_warnings;

  int LatestVersion() const { return static_cast<int>(migrations.size()); }
};

// Returns one row with one integer, the version of the database's schema. Fails with SQLSTATE 42P01
// (undefined_table) on a database that was never migrated.
inline constexpr const char* kSchemaVersionSql =
    "SELECT coalesce(max(version), 0) FROM schema_migrations";

// Describes for an operator what went wrong and how to repair it; may have several lines.
struct MigrationError {
  std::string message;
};

struct StatusLine {
  enum class State {
    kApplied,
    kPending,
    kChanged,  // Applied, but its file has changed since.
    kUnknown,  // Applied by a newer program; not part of the set.
  };
  int version = 0;
  std::string name;
  State state = State::kPending;
  std::string applied_at;  // "2026-11-22 23:14:47 UTC"; empty if pending.
};

struct Status {
  std::vector<StatusLine> lines;  // By version.
  // The schema's version, also if it was reached by another tool (see adoptable_revision).
  int version = 0;
  // The alembic revision of a database that Up would adopt; otherwise empty.
  std::string adoptable_revision;
};

struct RunnerOptions {
  // Called with one line of progress at a time, on the caller's thread.
  std::function<void(std::string_view)> progress = [](std::string_view) {};
  // How long to try again while the server does not answer or is still starting.
  std::chrono::seconds connect_wait{0};
  // How long to wait for another runner to finish.
  std::chrono::seconds runner_wait{60};
  // How long a migration in a transaction may wait for a table that other sessions use. Their later
  // statements queue behind it meanwhile, so this is less than the deadline of the services'
  // statements.
  std::chrono::seconds table_wait{2};
  // How often such a migration is tried before it fails, with a pause as long as `table_wait`.
  int table_attempts = 15;
  // The role that serves, if it is another one than the role that migrates. It is granted the right
  // to read and write the tables' rows, in the transaction of each migration, so it can use a new
  // table as soon as it exists. It gets no right to change the schema or its history.
  std::string serving_role;
};

// Brings a database to a version of its schema.
//
// Each migration is a transaction of its own and is recorded in the table schema_migrations. A
// migration that fails leaves nothing behind, and the ones before it stay. A migration outside a
// transaction is recorded when all of its statements have succeeded; before it runs, and after it
// has failed, invalid indexes that it names are dropped. A runner holds an advisory lock of the
// database, so two runners never work at once.
//
// A database is rejected, unchanged, if its history does not match the set: an applied migration
// has changed, its version is newer than the set, it has tables but no history, or its alembic
// revision is unknown; also if the role lacks the right to CREATE. A database at a known revision
// is adopted: the migrations that the revision stands for are recorded as applied, together with
// the first one that runs. Its alembic_version stays, but is ignored from then on.
//
// Every call opens a new connection and blocks. Use a runner on one thread; several runners may
// race.
class Runner {
 public:
  // `set` must outlive the runner.
  Runner(postgres::Settings settings, const MigrationSet& set, RunnerOptions options = {});

  std::expected<void, MigrationError> Up();
  // Reverses the last migration, which deletes the data that only its schema could hold.
  std::expected<void, MigrationError> Down();
  // Migrates up or down to a version; 0 is before the first migration.
  std::expected<void, MigrationError> To(int version);
  // Installs the set's demo data. Fails unless the schema is at the latest version.
  std::expected<void, MigrationError> InstallDemo();
  // Changes nothing and does not wait for other runners.
  std::expected<Status, MigrationError> GetStatus();

 private:
  postgres::Settings settings_;
  const MigrationSet& set_;
  RunnerOptions options_;
};

}  // namespace platform::migrations
