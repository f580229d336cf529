#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "platform/migrations/connection.h"
#include "platform/migrations/migrations.h"

namespace platform::migrations {

// A row of schema_migrations.
struct AppliedMigration {
  int version = 0;
  std::string name;
  std::string checksum;
  std::string applied_at;
};

// The migrations that a database has seen, as its own tables record them.
struct History {
  std::vector<AppliedMigration> applied;  // By version.
  // The table schema_migrations exists.
  bool recorded = false;
  // Set if the table does not exist, but the database is at a known alembic revision. `applied`
  // then holds the migrations that the revision stands for.
  const Adoption* adoption = nullptr;

  int version() const { return applied.empty() ? 0 : applied.back().version; }
};

// Reads the history. Fails if the database holds tables of unknown origin. Changes nothing.
std::expected<History, MigrationError> ReadHistory(Connection& connection, const MigrationSet& set);

// Succeeds if the set can continue from the history: every applied migration is known and
// unchanged, without gaps.
std::expected<void, MigrationError> CheckHistory(const History& history, const MigrationSet& set);

// Returns the SQL that creates schema_migrations if it does not exist, with the adopted migrations
// in it. It is part of the first transaction that changes anything.
std::string RecordingSql(const History& history);

// Describes an error for an operator: file, line, SQLSTATE and the server's message. `what` names
// the file or the action.
MigrationError Describe(std::string_view what, const SqlError& error);

}  // namespace platform::migrations
