#include "platform/service/program.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>

#include "platform/base/version.h"
#include "platform/migrations/command.h"
#include "platform/service/healthcheck.h"

// The settings of the allocator, jemalloc (jemalloc.net/jemalloc.3.html#tuning). All threads share
// one arena, because what is freed in one is of no use to the others. Freed pages go back to the
// system within 20 ms, so that a burst of large requests does not take them for good, also while no
// thread allocates (background_thread).
extern "C" const char* malloc_conf;  // NOLINT(readability-identifier-naming)
const char* malloc_conf = "narenas:1,background_thread:true,dirty_decay_ms:20,muzzy_decay_ms:0";

namespace platform::service {
namespace {

constexpr int kFailure = 1;

std::string Footer(const Program& program) {
  config::Environment environment;
  program.describe_configuration(environment);
  return fmt::format(
      "Examples:\n"
      "  {0} migrate up           bring the database to this program's schema\n"
      "  {0} serve                serve until SIGTERM\n"
      "  {0} openapi > {0}.json   the API's description\n\n"
      "Configuration, from the environment:\n{1}\n"
      "Each secret can come from a file instead: NAME_FILE holds its path.\n",
      program.name, environment.Table());
}

std::expected<postgres::Settings, std::string> ReadDatabaseSettings() {
  config::Environment environment;
  postgres::Settings settings = ReadPostgresSettings(environment);
  if (environment.Mistakes().empty()) return settings;
  std::string text;
  for (const std::string& mistake : environment.Mistakes()) text += mistake + '\n';
  text.pop_back();
  return std::unexpected(text);
}

int CheckHealth(const Program& program) {
  config::Environment environment;
  const Settings settings = ReadSettings(environment, program.name, program.default_port);
  if (ReportMistakes(environment)) return kMistakenConfiguration;
  const auto healthy = AskReadiness(settings.address, settings.port);
  if (healthy) return 0;
  fmt::print(stderr, "{}\n", healthy.error());
  return kFailure;
}

}  // namespace

bool ReportMistakes(const config::Environment& environment) {
  if (environment.Mistakes().empty()) return false;
  fmt::print(stderr, "The configuration has mistakes:\n");
  for (const std::string& mistake : environment.Mistakes()) fmt::print(stderr, "  {}\n", mistake);
  return true;
}

int RunProgram(int argc, char** argv, const Program& program) {
  // If nobody reads our output any more, a write fails instead.
  std::signal(SIGPIPE, SIG_IGN);
  int exit_code = 0;
  CLI::App app(program.description, program.name);
  app.require_subcommand(1);
  app.footer([&] { return Footer(program); });
  app.add_subcommand("serve", "Serve the API until SIGTERM or SIGINT")->callback([&] {
    exit_code = program.serve();
  });
  migrations::AddMigrateCommand(app, program.migrations, ReadDatabaseSettings, exit_code);
  app.add_subcommand("openapi", "Print the API's description, an OpenAPI 3.1 document")
      ->callback([&] { fmt::print("{}\n", program.openapi()); });
  app.add_subcommand("healthcheck",
                     "Exit with 0 if the service on SERVICE_PORT of this machine is ready")
      ->callback([&] { exit_code = CheckHealth(program); });
  app.add_subcommand("version", "Print the version")->callback([&] {
    fmt::print("{} {}\n", program.name, kVersion);
  });
  if (program.add_commands) program.add_commands(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", program.name, error.what());
    return kFailure;
  }
  return exit_code;
}

}  // namespace platform::service
