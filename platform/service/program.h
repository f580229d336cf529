#pragma once

#include <functional>
#include <string>

#include "platform/config/environment.h"
#include "platform/log/log.h"
#include "platform/migrations/migrations.h"
#include "platform/service/descriptors.h"
#include "platform/service/settings.h"

namespace CLI {
class App;
}

namespace platform::service {

// A service's command line: `serve`, `migrate`, `openapi`, `healthcheck`, `version`, `--help`.
struct Program {
  std::string name;
  std::string description;
  std::uint16_t default_port = 0;
  const migrations::MigrationSet& migrations;
  // Reads the whole configuration, to find its mistakes and to make the table in --help.
  std::function<void(config::Environment&)> describe_configuration;
  // Serves until it is stopped, and returns the process's exit code. It also reports mistakes in
  // the configuration. See ServeConfigured.
  std::function<int()> serve;
  // Returns the OpenAPI document.
  std::function<std::string()> openapi;
  // Adds commands that only this service has; they set `exit_code`.
  std::function<void(CLI::App& app, int& exit_code)> add_commands = {};
};

// Runs the command that `argv` names, and returns the process's exit code.
int RunProgram(int argc, char** argv, const Program& program);

// The exit code for a configuration with mistakes.
inline constexpr int kMistakenConfiguration = 2;

// Prints all mistakes in the configuration to stderr. Returns whether there are any.
bool ReportMistakes(const config::Environment& environment);

// The `serve` of a Program. It reads the configuration, whose member `service` is a Settings, and
// serves with it unless it has mistakes. `Serve` throws if it cannot start.
template <auto Read, auto Serve>
int ServeConfigured() {
  config::Environment environment;
  auto configuration = Read(environment);
  if (ReportMistakes(environment)) return kMistakenConfiguration;
  log::Configure(configuration.service.log.level, configuration.service.log.format);
  MakeRoomForConnections(configuration.service);
  Serve(configuration);
  return 0;
}

}  // namespace platform::service
