#include "platform/migrations/migrations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <ranges>
#include <thread>
#include <tuple>
#include <utility>

#include "platform/migrations/connection.h"
#include "platform/migrations/history.h"

namespace platform::migrations {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

using Done = std::expected<void, MigrationError>;

constexpr seconds kConnectTimeout{5};
constexpr milliseconds kConnectPause{250};
constexpr milliseconds kLockPause{100};
// "mcmigrat" as a number. Any constant would do, because advisory locks belong to one database.
constexpr const char* kLockKey = "7882264072303042932";
constexpr std::string_view kLockNotAvailable = "55P03";

// The statements that give the role the rights it lacks. $1 lists the extensions to be created.
constexpr const char* kMissingRightsSql = R"(
  SELECT format('GRANT USAGE, CREATE ON SCHEMA %I TO %I;',
                coalesce(current_schema(), 'public'), current_user)
  WHERE NOT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
  UNION ALL
  SELECT format('CREATE EXTENSION %I;', name)
  FROM unnest(string_to_array($1, ',')) AS name
  WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = name)
    AND NOT (has_database_privilege(current_database(), 'CREATE')
             AND EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = name)))";

// The statements that drop the invalid indexes that a script ($1) names. CREATE INDEX CONCURRENTLY
// leaves an invalid index behind if it fails.
constexpr const char* kInvalidIndexesSql = R"(
  SELECT format('DROP INDEX CONCURRENTLY IF EXISTS %I', relname)
  FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid
  WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace
    AND relname = ANY (regexp_split_to_array($1, '\W+')))";

// The statements that grant the role $1 what a service needs of the objects that belong to the
// current role. Functions need no grant, because everybody may execute them.
constexpr const char* kGrantsSql = R"(
  SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), $1::text)
  WHERE NOT (has_database_privilege($1::text, current_database(), 'CONNECT')
             AND has_database_privilege($1::text, current_database(), 'TEMPORARY'))
  UNION ALL
  SELECT format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), $1::text)
  WHERE NOT has_schema_privilege($1::text, current_schema(), 'USAGE')
  UNION ALL
  SELECT format('GRANT %s ON %I.%I TO %I',
                CASE WHEN relname IN ('schema_migrations', 'alembic_version') THEN 'SELECT'
                     WHEN relkind = 'S' THEN 'USAGE, SELECT'
                     ELSE 'SELECT, INSERT, UPDATE, DELETE' END,
                current_schema(), relname, $1::text)
  FROM pg_class
  WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
    AND pg_has_role(relowner, 'USAGE'))";

// Makes the server end a statement within a second when its runner has been killed, where it can
// (PostgreSQL 14). Otherwise a statement continues to its end and holds the lock until then.
constexpr const char* kNoticeLostRunnerSql = R"(
  SELECT set_config(name, '1s', false) FROM pg_settings
  WHERE name = 'client_connection_check_interval')";

std::unexpected<MigrationError> Failure(std::string message) {
  return std::unexpected(MigrationError{std::move(message)});
}

std::string Place(const postgres::Settings& settings) {
  std::string servers;
  for (const postgres::Server& server : settings.servers) {
    servers += fmt::format("{}{}:{}", servers.empty() ? "" : ", ", server.host, server.port);
  }
  return fmt::format("database \"{}\" at {}", settings.database, servers);
}

std::expected<Connection, MigrationError> Connect(const postgres::Settings& settings,
                                                  const RunnerOptions& options) {
  const auto deadline = Clock::now() + options.connect_wait;
  bool told = false;
  while (true) {
    auto opened = Connection::Open(settings, kConnectTimeout, [&options](std::string_view warning) {
      options.progress(warning);
    });
    if (opened) {
      return *std::move(opened);
    }
    if (!opened.error().not_up_yet || Clock::now() + kConnectPause > deadline) {
      return Failure(
          fmt::format("cannot connect to {}: {}", Place(settings), opened.error().message));
    }
    if (!told) {
      options.progress(fmt::format("waiting up to {} s for the server of {}",
                                   options.connect_wait.count(), Place(settings)));
      told = true;
    }
    std::this_thread::sleep_for(kConnectPause);
  }
}

// Splits a script. A statement ends with a line that ends with a semicolon outside $$…$$. Each has
// as many line breaks in front as the script has before it, so that errors name the script's lines.
std::vector<std::string> SplitStatements(std::string_view script) {
  std::vector<std::string> statements;
  std::string statement;
  bool quoted = false;
  std::size_t lines = 0;
  for (const auto part : std::views::split(script, '\n')) {
    const std::string_view line{part};
    ++lines;
    statement.append(line).append("\n");
    for (auto at = line.find("$$"); at != std::string_view::npos; at = line.find("$$", at + 2)) {
      quoted = !quoted;
    }
    if (!quoted && line.ends_with(';')) {
      statements.push_back(std::exchange(statement, std::string(lines, '\n')));
    }
  }
  statements.push_back(std::move(statement));
  return statements;
}

// A connection that holds the database's advisory lock and may therefore change its schema.
class Session {
 public:
  static std::expected<Session, MigrationError> Open(const postgres::Settings& settings,
                                                     const MigrationSet& set,
                                                     const RunnerOptions& options) {
    auto connection = Connect(settings, options);
    if (!connection) {
      return std::unexpected(connection.error());
    }
    Session session{*std::move(connection), settings, set, options};
    if (auto locked = session.Lock(); !locked) {
      return std::unexpected(locked.error());
    }
    auto history = ReadHistory(session.connection_, set);
    if (!history) {
      return std::unexpected(history.error());
    }
    if (auto checked = CheckHistory(*history, set); !checked) {
      return std::unexpected(checked.error());
    }
    session.history_ = *std::move(history);
    return session;
  }

  Session(Session&& other) noexcept
      : connection_(std::move(other.connection_)),
        settings_(other.settings_),
        set_(other.set_),
        options_(other.options_),
        history_(std::move(other.history_)),
        is_locked_(std::exchange(other.is_locked_, false)) {}
  Session& operator=(Session&&) = delete;

  // Without this, the server would release the lock only when it notices the end of the connection,
  // and the next runner could come before that.
  ~Session() {
    if (is_locked_) {
      // If it fails, the connection is lost, and the lock with it.
      std::ignore = connection_.Run("SELECT pg_advisory_unlock_all()");
    }
  }

  int version() const { return history_.version(); }

  // Steps up or down until the database is at `target`.
  Done WalkTo(int target) {
    if (target < 0 || target > set_.LatestVersion()) {
      return Failure(
          fmt::format("there is no version {}: the latest is {}, and 0 is before the "
                      "first",
                      target, set_.LatestVersion()));
    }
    if (version() == target && history_.adoption == nullptr) {
      options_.progress(fmt::format("nothing to do: the schema is at version {}", version()));
      if (auto granted = Grant(); !granted) {
        return std::unexpected(Describe("cannot grant rights", granted.error()));
      }
      return {};
    }
    if (auto checked = CheckRights(target); !checked) {
      return checked;
    }
    while (version() != target) {
      if (auto stepped = version() < target ? StepUp() : StepDown(); !stepped) {
        return stepped;
      }
    }
    if (history_.adoption != nullptr) {
      if (auto recorded = InTransaction("schema_migrations", "", "", {}); !recorded) {
        return recorded;
      }
    }
    return {};
  }

  Done InstallDemo() {
    if (version() != set_.LatestVersion()) {
      return Failure(fmt::format("demo data needs the schema at version {}, but it is at {}",
                                 set_.LatestVersion(), version()));
    }
    std::size_t inserted = 0;
    auto installed = InTransaction("demo data", std::string(set_.demo), "", {}, &inserted);
    if (installed) {
      options_.progress(inserted > 0 ? fmt::format("demo data: {} rows", inserted)
                                     : "demo data: nothing to add, its ids were given out before");
    }
    return installed;
  }

 private:
  Session(Connection connection, const postgres::Settings& settings, const MigrationSet& set,
          const RunnerOptions& options)
      : connection_(std::move(connection)), settings_(settings), set_(set), options_(options) {}

  // Takes the advisory lock, which ends with the connection. A statement that waited for the lock
  // would hold a snapshot, for which CREATE INDEX CONCURRENTLY of the other runner waits in turn.
  // So this tries again and again.
  Done Lock() {
    const auto deadline = Clock::now() + options_.runner_wait;
    const std::string sql = fmt::format("SELECT pg_try_advisory_lock({})", kLockKey);
    auto tried = connection_.Run(sql);
    if (tried && tried->rows.front().front() != "t") {
      options_.progress(
          fmt::format("another runner is at work on this database; waiting up to {} s",
                      options_.runner_wait.count()));
    }
    while (tried && tried->rows.front().front() != "t") {
      if (Clock::now() >= deadline) {
        return Failure(fmt::format(
            "another runner still works on this database after {} s. Try again when it is done.",
            options_.runner_wait.count()));
      }
      std::this_thread::sleep_for(kLockPause);
      tried = connection_.Run(sql);
    }
    is_locked_ = tried.has_value();
    if (tried) {
      tried = LimitTableWait(options_.table_wait);
    }
    if (tried) {
      tried = connection_.Run(kNoticeLostRunnerSql);
    }
    if (!tried) {
      return std::unexpected(Describe("cannot lock the database", tried.error()));
    }
    return {};
  }

  // Limits how long a statement may wait for a table; 0 is no limit.
  std::expected<SqlResult, SqlError> LimitTableWait(seconds limit) {
    return connection_.Run(fmt::format("SET lock_timeout = '{}s'", limit.count()));
  }

  // Fails before anything is changed if the role may not create what the steps to `target` need.
  Done CheckRights(int target) {
    const bool goes_up = target > version();
    const auto missing = connection_.Run(
        kMissingRightsSql, {goes_up ? fmt::format("{}", fmt::join(set_.extensions, ",")) : ""});
    if (!missing) {
      return std::unexpected(Describe("cannot read the role's rights", missing.error()));
    }
    if (missing->rows.empty()) {
      return {};
    }
    std::string message = fmt::format(
        "the role \"{}\" lacks rights in the database \"{}\"; nothing was changed. Let a superuser "
        "run this in that database, then migrate again:",
        settings_.user, settings_.database);
    for (const auto& row : missing->rows) {
      message += "\n  " + row.front();
    }
    return Failure(std::move(message));
  }

  Done StepUp() {
    const auto start = Clock::now();
    const Migration& migration = set_.migrations[static_cast<std::size_t>(version())];
    auto done =
        Step(fmt::format("{}.up.sql", migration.name), migration.up, migration.up_in_transaction,
             "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1::integer, $2, $3)",
             {std::to_string(migration.version), std::string(migration.name),
              std::string(migration.checksum)});
    if (done) {
      history_.applied.push_back({.version = migration.version,
                                  .name = std::string(migration.name),
                                  .checksum = std::string(migration.checksum),
                                  .applied_at = {}});
      Report(migration, "applied", start);
    }
    return done;
  }

  Done StepDown() {
    const auto start = Clock::now();
    const Migration& migration = set_.migrations[static_cast<std::size_t>(version()) - 1];
    auto done = Step(fmt::format("{}.down.sql", migration.name), migration.down,
                     migration.down_in_transaction,
                     "DELETE FROM schema_migrations WHERE version = $1::integer",
                     {std::to_string(migration.version)});
    if (done) {
      history_.applied.pop_back();
      Report(migration, "taken back", start);
    }
    return done;
  }

  // Grants the serving role what it needs.
  std::expected<SqlResult, SqlError> Grant() {
    if (options_.serving_role.empty()) {
      return {};
    }
    const auto grants = connection_.Run(kGrantsSql, {options_.serving_role});
    auto ran = grants;
    for (std::size_t i = 0; ran && i < grants->rows.size(); ++i) {
      ran = connection_.Run(grants->rows[i].front());
    }
    return ran;
  }

  Done Step(std::string_view what, std::string_view script, bool in_transaction,
            const std::string& record, std::initializer_list<std::string> parameters) {
    if (in_transaction) {
      return InTransaction(what, std::string(script), record, parameters);
    }
    if (auto ran = OutsideTransaction(what, script); !ran) {
      return ran;
    }
    return InTransaction(what, "", record, parameters);
  }

  Done OutsideTransaction(std::string_view what, std::string_view script) {
    auto ran = DropInvalidIndexes(script);
    for (const std::string& statement : SplitStatements(script)) {
      // CREATE INDEX CONCURRENTLY waits for every transaction that uses the table, without holding
      // up any other.
      const bool concurrent = statement.contains("CONCURRENTLY");
      ran = ran ? LimitTableWait(concurrent ? seconds{0} : options_.table_wait) : ran;
      ran = ran ? connection_.Run(statement) : ran;
    }
    if (ran) {
      ran = LimitTableWait(options_.table_wait);
    }
    if (ran) {
      return {};
    }
    MigrationError error = Describe(what, ran.error());
    error.message += fmt::format(
        "\nIt runs outside a transaction, so a part of it may be done. The schema is at version "
        "{}; "
        "migrate again to repeat it.",
        version());
    if (const auto dropped = DropInvalidIndexes(script); !dropped) {
      error.message +=
          "\nAn invalid index may be left, which slows down writes until the repetition drops it.";
    }
    return std::unexpected(std::move(error));
  }

  std::expected<SqlResult, SqlError> DropInvalidIndexes(std::string_view script) {
    auto ran = LimitTableWait(seconds{0});
    const auto invalid =
        ran ? connection_.Run(kInvalidIndexesSql, {std::string(script)}) : std::move(ran);
    ran = invalid;
    for (std::size_t i = 0; ran && i < invalid->rows.size(); ++i) {
      ran = connection_.Run(invalid->rows[i].front());
    }
    return ran;
  }

  // Runs `script` and then `record`, both or neither. In a database that has no records yet, it
  // creates the table for them first. Tries again if another session uses a table for too long.
  Done InTransaction(std::string_view what, const std::string& script, const std::string& record,
                     std::initializer_list<std::string> parameters,
                     std::size_t* inserted = nullptr) {
    for (int attempt = 1;; ++attempt) {
      auto ran = connection_.Run("BEGIN");
      if (ran) {
        ran = connection_.Run(RecordingSql(history_));
      }
      if (ran) {
        ran = connection_.Run(script);
        if (ran && inserted != nullptr) {
          *inserted = ran->inserted;
        }
        if (ran && !connection_.in_transaction()) {
          return Failure(
              fmt::format("{} ends the transaction that it runs in, and may be half done. "
                          "It must not COMMIT or ROLLBACK.",
                          what));
        }
      }
      if (ran && !record.empty()) {
        ran = connection_.Run(record, parameters);
      }
      if (ran) {
        ran = Grant();
      }
      if (ran) {
        ran = connection_.Run("COMMIT");
      }
      if (ran) {
        break;
      }
      if (ran.error().sqlstate != kLockNotAvailable || attempt >= options_.table_attempts) {
        return std::unexpected(RollBack(what, ran.error()));
      }
      if (const auto undone = connection_.Run("ROLLBACK"); !undone) {
        return std::unexpected(Describe(what, undone.error()));
      }
      options_.progress(fmt::format("{}: other sessions use a table; trying again in {} s", what,
                                    options_.table_wait.count()));
      std::this_thread::sleep_for(options_.table_wait);
    }
    if (const Adoption* adoption = std::exchange(history_.adoption, nullptr)) {
      options_.progress(
          fmt::format("took over a database at alembic revision {}, which is version {}",
                      adoption->alembic_revision, adoption->version));
      WarnOfAdopted();
    }
    history_.recorded = true;
    return {};
  }

  // If the warnings cannot be read, the run continues, because the database is already adopted.
  void WarnOfAdopted() {
    const auto warnings = connection_.Run(std::string(set_.adoption_warnings));
    if (!warnings) {
      options_.progress(Describe("cannot look for what to warn about", warnings.error()).message);
      return;
    }
    for (const auto& row : warnings->rows) {
      options_.progress("WARNING: " + row.front());
    }
  }

  MigrationError RollBack(std::string_view what, const SqlError& failed) {
    MigrationError error = Describe(what, failed);
    if (failed.is_unconfirmed) {
      error.message += "\nAfter a failover, see what `status` says, and migrate again.";
    } else if (connection_.Run("ROLLBACK")) {
      error.message += fmt::format("\nNothing of it was done: the schema is at version {}{}.",
                                   version(), history_.recorded ? "" : ", as it was found");
    } else {
      error.message +=
          "\nThe connection is lost: the server takes back what was not committed. See what "
          "`status` says before you try again.";
    }
    return error;
  }

  void Report(const Migration& migration, std::string_view done, Clock::time_point start) const {
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    options_.progress(fmt::format("{}: {} in {} ms", migration.name, done, took.count()));
  }

  Connection connection_;
  const postgres::Settings& settings_;
  const MigrationSet& set_;
  const RunnerOptions& options_;
  History history_;
  bool is_locked_ = false;
};

StatusLine ToStatusLine(const AppliedMigration& applied, const MigrationSet& set) {
  auto state = StatusLine::State::kApplied;
  if (applied.version < 1 || applied.version > set.LatestVersion()) {
    state = StatusLine::State::kUnknown;
  } else if (set.migrations[static_cast<std::size_t>(applied.version) - 1].checksum !=
             applied.checksum) {
    state = StatusLine::State::kChanged;
  }
  return {.version = applied.version,
          .name = applied.name,
          .state = state,
          .applied_at = applied.applied_at};
}

}  // namespace

Runner::Runner(postgres::Settings settings, const MigrationSet& set, RunnerOptions options)
    : settings_(std::move(settings)), set_(set), options_(std::move(options)) {}

std::expected<void, MigrationError> Runner::Up() { return To(set_.LatestVersion()); }

std::expected<void, MigrationError> Runner::Down() {
  auto session = Session::Open(settings_, set_, options_);
  return session ? session->WalkTo(std::max(session->version() - 1, 0))
                 : std::unexpected(session.error());
}

std::expected<void, MigrationError> Runner::To(int version) {
  auto session = Session::Open(settings_, set_, options_);
  return session ? session->WalkTo(version) : std::unexpected(session.error());
}

std::expected<void, MigrationError> Runner::InstallDemo() {
  auto session = Session::Open(settings_, set_, options_);
  return session ? session->InstallDemo() : std::unexpected(session.error());
}

std::expected<Status, MigrationError> Runner::GetStatus() {
  auto connection = Connect(settings_, options_);
  if (!connection) {
    return std::unexpected(connection.error());
  }
  const auto history = ReadHistory(*connection, set_);
  if (!history) {
    return std::unexpected(history.error());
  }
  Status status{.version = history->version()};
  if (history->adoption != nullptr) {
    status.adoptable_revision = history->adoption->alembic_revision;
  } else {
    for (const AppliedMigration& applied : history->applied) {
      status.lines.push_back(ToStatusLine(applied, set_));
    }
  }
  for (const Migration& migration : set_.migrations) {
    if (std::ranges::find(status.lines, migration.version, &StatusLine::version) ==
        status.lines.end()) {
      status.lines.push_back(
          {.version = migration.version, .name = std::string(migration.name), .applied_at = {}});
    }
  }
  std::ranges::sort(status.lines, {}, &StatusLine::version);
  return status;
}

}  // namespace platform::migrations
