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

// Reads the settings of the database; called only by commands that need it. The error describes
// the mistakes in the configuration for an operator.
using ReadSettings = std::function<std::expected<postgres::Settings, std::string>()>;

// Adds `migrate up [--demo] | down | to N | status` to a program's command line. Parsing such a
// command also runs it: it writes progress to stdout and errors to stderr, and sets `exit_code` to
// 0 or 1. `set` and `exit_code` must outlive the parsing.
void AddMigrateCommand(CLI::App& app, const MigrationSet& set, ReadSettings read_settings,
                       int& exit_code);

}  // namespace platform::migrations
