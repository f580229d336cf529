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

// What a database tells of its own past.
struct History {
  std::vector<AppliedMigration> applied;  // By version.
  // The table schema_migrations is there.
  bool recorded = false;
  // Not recorded, but at a known alembic revision: `applied` holds what that stands for.
  const Adoption* adoption = nullptr;

  int version() const { return applied.empty() ? 0 : applied.back().version; }
};

// Fails where the database holds tables of unknown origin. Changes nothing.
std::expected<History, MigrationError> ReadHistory(Connection& connection, const MigrationSet& set);

// Whether the set can continue from the history: all that was applied is known, unchanged and
// without gaps.
std::expected<void, MigrationError> CheckHistory(const History& history, const MigrationSet& set);

// The SQL that makes schema_migrations where it is not there, with the adopted migrations in it.
// Part of the first transaction that changes anything.
std::string RecordingSql(const History& history);

// For people: file, line, SQLSTATE, the server's words. `what` names the file or the doing.
MigrationError Describe(std::string_view what, const SqlError& error);

}  // namespace platform::migrations
