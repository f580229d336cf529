#include "platform/migrations/history.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace platform::migrations {
namespace {

constexpr const char* kRecordTable = "schema_migrations";
constexpr const char* kAlembicTable = "alembic_version";

// Tables of extensions are not part of the schema, so they are left out.
constexpr const char* kTablesSql = R"(
  SELECT c.relname
  FROM pg_class AS c
  WHERE c.relnamespace = current_schema()::regnamespace
    AND c.relkind IN ('r', 'p')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY c.relname)";

constexpr const char* kAppliedSql = R"(
  SELECT version, name, checksum,
         to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
  FROM schema_migrations
  ORDER BY version)";

std::unexpected<MigrationError> Failure(std::string message) {
  return std::unexpected(MigrationError{std::move(message)});
}

std::expected<std::vector<std::string>, MigrationError> ReadColumn(Connection& connection,
                                                                   const std::string& sql) {
  auto result = connection.Run(sql);
  if (!result) {
    return std::unexpected(Describe("cannot read the database's history", result.error()));
  }
  std::vector<std::string> column;
  for (auto& row : result->rows) {
    column.push_back(std::move(row.front()));
  }
  return column;
}

std::expected<History, MigrationError> ReadRecorded(Connection& connection) {
  auto result = connection.Run(kAppliedSql);
  if (!result) {
    return std::unexpected(Describe("cannot read the table schema_migrations", result.error()));
  }
  History history{.recorded = true};
  for (auto& row : result->rows) {
    history.applied.push_back({.version = std::stoi(row[0]),
                               .name = std::move(row[1]),
                               .checksum = std::move(row[2]),
                               .applied_at = std::move(row[3])});
  }
  return history;
}

std::expected<History, MigrationError> Adopt(const std::vector<std::string>& revisions,
                                             const MigrationSet& set) {
  const auto adoption = revisions.size() == 1 ? std::ranges::find(set.adoptions, revisions.front(),
                                                                  &Adoption::alembic_revision)
                                              : set.adoptions.end();
  if (adoption == set.adoptions.end()) {
    const std::string found =
        revisions.empty() ? "(none)" : fmt::format("{}", fmt::join(revisions, ", "));
    if (set.adoptions.empty()) {
      return Failure(fmt::format(
          "the database is at alembic revision {}, and this program takes over none. Migrate an "
          "empty database.",
          found));
    }
    std::vector<std::string_view> known;
    for (const Adoption& each : set.adoptions) {
      known.push_back(each.alembic_revision);
    }
    return Failure(fmt::format(
        "the database is at alembic revision {}, which this program does not know; it "
        "can take over {}. Bring the database there with the tool that made it: `alembic "
        "upgrade {}` adds no demonstration data, which `alembic upgrade head` does.",
        found, fmt::join(known, " or "), known.front()));
  }
  History history{.adoption = &*adoption};
  for (const Migration& migration :
       set.migrations.first(static_cast<std::size_t>(adoption->version))) {
    history.applied.push_back({.version = migration.version,
                               .name = std::string(migration.name),
                               .checksum = std::string(migration.checksum),
                               .applied_at = {}});
  }
  return history;
}

}  // namespace

std::expected<History, MigrationError> ReadHistory(Connection& connection,
                                                   const MigrationSet& set) {
  auto tables = ReadColumn(connection, kTablesSql);
  if (!tables) {
    return std::unexpected(tables.error());
  }
  if (std::erase(*tables, kRecordTable) > 0) {
    return ReadRecorded(connection);
  }
  std::vector<std::string> revisions;
  const auto erased = std::erase(*tables, kAlembicTable);
  if (erased > 0) {
    auto read = ReadColumn(connection, "SELECT version_num FROM alembic_version ORDER BY 1");
    if (!read) {
      return std::unexpected(read.error());
    }
    revisions = *std::move(read);
  }
  if (!revisions.empty() || (erased > 0 && !tables->empty())) {
    return Adopt(revisions, set);
  }
  if (!tables->empty()) {
    return Failure(fmt::format(
        "the database holds tables ({}), but neither schema_migrations nor alembic_version tells "
        "how they came about. Migrate an empty database; or, if this is one of the Python "
        "services', restore it together with its table alembic_version.",
        fmt::join(*tables, ", ")));
  }
  return History{};
}

std::expected<void, MigrationError> CheckHistory(const History& history, const MigrationSet& set) {
  int expected = 0;
  for (const AppliedMigration& applied : history.applied) {
    ++expected;
    if (applied.version > set.LatestVersion()) {
      return Failure(
          fmt::format("the database is newer than this program: it holds {}, and the program knows "
                      "versions up to {}. Use a newer program.",
                      applied.name, set.LatestVersion()));
    }
    if (applied.version != expected) {
      return Failure(
          fmt::format("the table schema_migrations holds {}, but not version {}, which comes "
                      "before it. Restore the missing row or the database.",
                      applied.name, expected));
    }
    const Migration& migration = set.migrations[static_cast<std::size_t>(expected) - 1];
    if (applied.checksum != migration.checksum) {
      return Failure(
          fmt::format("{}.up.sql is not what was applied to this database as {} (SHA-256 then: {}, "
                      "now: {}). An applied migration never changes: restore the file, and put the "
                      "change into a new migration.",
                      migration.name, applied.name, applied.checksum, migration.checksum));
    }
  }
  return {};
}

std::string RecordingSql(const History& history) {
  if (history.recorded) {
    return "";
  }
  std::string sql = R"(
      CREATE TABLE schema_migrations (
          version integer NOT NULL,
          name text NOT NULL,
          checksum text NOT NULL,
          applied_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
          CONSTRAINT pk__schema_migrations PRIMARY KEY (version)
      );)";
  for (const AppliedMigration& applied : history.applied) {
    // Names and checksums come from the program's own files and hold no quotes.
    sql += fmt::format(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES ({}, '{}', '{}');",
        applied.version, applied.name, applied.checksum);
  }
  return sql;
}

MigrationError Describe(std::string_view what, const SqlError& error) {
  std::string message{what};
  if (error.line > 0) {
    message += fmt::format(", line {}", error.line);
  }
  message += ": " + error.message;
  if (!error.sqlstate.empty()) {
    message += fmt::format(" (SQLSTATE {})", error.sqlstate);
  }
  const auto append = [&message](std::string_view label, std::string_view text) {
    if (!text.empty()) {
      message += fmt::format("\n{}: {}", label, text);
    }
  };
  append("detail", error.detail);
  append("hint", error.hint);
  append("where", error.context);
  return {std::move(message)};
}

}  // namespace platform::migrations
