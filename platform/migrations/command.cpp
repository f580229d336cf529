#include "platform/migrations/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string_view>
#include <utility>

namespace platform::migrations {
namespace {

using Done = std::expected<void, MigrationError>;

struct Flags {
  int wait_seconds = 30;
  std::string serving_role;
  bool demo = false;
  bool yes = false;
  int target = 0;
};

std::string_view Word(StatusLine::State state) {
  switch (state) {
    case StatusLine::State::kApplied:
      return "applied";
    case StatusLine::State::kPending:
      return "pending";
    case StatusLine::State::kChanged:
      return "CHANGED since it was applied";
    case StatusLine::State::kUnknown:
      return "UNKNOWN to this program, applied";
  }
  return "";
}

void Print(std::string_view line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

// Returns whether to continue with a command that destroys data. Asks only if a person is at the
// terminal, because a script states its intention by its call.
bool Confirmed(const Flags& flags) {
  if (flags.yes || isatty(STDIN_FILENO) == 0) {
    return true;
  }
  fmt::print(
      "A step back destroys the data that only the newer schema has room for. Go on? [y/N] ");
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "yes";
}

Done Cancelled() { return std::unexpected(MigrationError{"cancelled: nothing was changed"}); }

Done Up(Runner& runner, const Flags& flags) {
  Done done = runner.Up();
  return done && flags.demo ? runner.InstallDemo() : done;
}

Done Down(Runner& runner, const Flags& flags) {
  return Confirmed(flags) ? runner.Down() : Cancelled();
}

Done To(Runner& runner, const Flags& flags) {
  const auto status = runner.GetStatus();
  if (!status) {
    return std::unexpected(status.error());
  }
  const bool goes_back = status->version > flags.target;
  return !goes_back || Confirmed(flags) ? runner.To(flags.target) : Cancelled();
}

Done PrintStatus(Runner& runner, const Flags& /*flags*/) {
  const auto status = runner.GetStatus();
  if (!status) {
    return std::unexpected(status.error());
  }
  if (!status->adoptable_revision.empty()) {
    Print(fmt::format("at alembic revision {}: `migrate up` takes this database over",
                      status->adoptable_revision));
  }
  std::size_t width = 0;
  for (const StatusLine& line : status->lines) {
    width = std::max(width, line.name.size());
  }
  for (const StatusLine& line : status->lines) {
    Print(fmt::format("{:<{}}  {}{}{}", line.name, width, Word(line.state),
                      line.applied_at.empty() ? "" : " ", line.applied_at));
  }
  return {};
}

}  // namespace

void AddMigrateCommand(CLI::App& app, const MigrationSet& set, ReadSettings read_settings,
                       int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* migrate = app.add_subcommand("migrate", "Bring the database's schema to a version");
  migrate->require_subcommand(1);
  migrate
      ->add_option("--wait", flags->wait_seconds,
                   "Seconds to wait for a database server that is not up yet")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();
  migrate
      ->add_option("--serving-role", flags->serving_role,
                   "Role to grant the rights that serving needs, if another one migrates")
      ->envname("POSTGRES_SERVING_ROLE");

  // Adds a subcommand that runs `action`.
  const auto add = [&, read_settings = std::move(read_settings)](
                       const char* name, const char* description,
                       Done (*action)(Runner&, const Flags&)) {
    CLI::App* command = migrate->add_subcommand(name, description);
    command->fallthrough();
    command->final_callback([flags, action, read_settings, &set, &exit_code] {
      exit_code = 1;
      const auto settings = read_settings();
      if (!settings) {
        fmt::print(stderr, "{}\n", settings.error());
        return;
      }
      Runner runner{*settings,
                    set,
                    {.progress = Print,
                     .connect_wait = std::chrono::seconds{flags->wait_seconds},
                     .serving_role = flags->serving_role}};
      if (const Done done = action(runner, *flags); !done) {
        fmt::print(stderr, "{}\n", done.error().message);
        return;
      }
      exit_code = 0;
    });
    return command;
  };
  const auto add_yes = [&flags](CLI::App* command) {
    command->add_flag("--yes", flags->yes, "Do not ask before a step back, even at a terminal");
  };

  add("up", "Apply all migrations that are pending", Up)
      ->add_flag("--demo", flags->demo,
                 "Also install demonstration data, with passwords that everyone knows");
  add_yes(
      add("down", "Take back the last migration; destroys data (asks first at a terminal)", Down));
  CLI::App* to = add("to", "Go up or down to a version; 0 is before the first", To);
  to->add_option("version", flags->target, "The version to go to")
      ->required()
      ->check(CLI::Range(0, set.LatestVersion()));
  add_yes(to);
  add("status", "Show applied and pending migrations", PrintStatus);
}

}  // namespace platform::migrations
