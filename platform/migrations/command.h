#pragma once

#include <expected>
#include <functional>
#include <string>

#include "platform/migrations/migrations.h"
#include "platform/postgres/settings.h"

namespace CLI {  // NOLINT(readability-identifier-naming): not ours to name.
class App;
}

namespace platform::migrations {

// Where the database is, read when a command really needs it; or what is wrong with the
// configuration, in words for an operator.
using ReadSettings = std::function<std::expected<postgres::Settings, std::string>()>;

// Adds `migrate up [--demo] | down | to N | status` to a program's command line. Parsing such a
// command also runs it: progress goes to stdout, what went wrong to stderr, and `exit_code` becomes
// 0 or 1. `set` and `exit_code` must outlive the parsing.
void AddMigrateCommand(CLI::App& app, const MigrationSet& set, ReadSettings read_settings,
                       int& exit_code);

}  // namespace platform::migrations
