#include "services/customers/src/create_admin.h"

#include <fmt/core.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "platform/config/environment.h"
#include "platform/config/settings.h"
#include "platform/security/password.h"
#include "platform/service/database.h"
#include "platform/service/program.h"
#include "services/customers/src/store/user_store.h"

namespace customers {
namespace {

// Turns the terminal's echo off for as long as it lives.
class SilentTerminal {
 public:
  SilentTerminal() {
    tcgetattr(STDIN_FILENO, &before_);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~SilentTerminal() { tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_); }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;

 private:
  termios before_{};
};

std::string ReadPassword() {
  std::optional<SilentTerminal> silence;
  if (isatty(STDIN_FILENO) != 0) {
    fmt::print(stderr, "Password: ");
    silence.emplace();
  }
  std::string password;
  std::getline(std::cin, password);
  if (silence) fmt::print(stderr, "\n");
  return password;
}

int Fail(std::string_view problem) {
  fmt::print(stderr, "customers: {}\n", problem);
  return 1;
}

// What to tell the operator.
std::string Explain(const platform::Error& error) {
  if (!error.fields.empty()) return error.fields.begin()->second.front();
  return error.code == platform::ErrorCode::kUnavailable ? "the database is not reachable"
                                                         : "the database refused the account";
}

int CreateAdmin(const std::string& email) {
  platform::config::Environment environment;
  const auto settings = platform::config::ReadPostgresSettings(environment);
  if (platform::service::ReportMistakes(environment)) {
    return platform::service::kMistakenConfiguration;
  }
  const auto parsed_email = Email::Parse(email);
  if (!parsed_email) return Fail("--email: " + std::string(parsed_email.error()));
  const auto password = NewPassword::Parse(ReadPassword());
  if (!password) return Fail("password: " + std::string(password.error()));

  boost::asio::io_context loop;
  platform::postgres::Client database(loop.get_executor(), settings,
                                      platform::service::MakeClientOptions("create-admin"));
  UserStore users(database);
  const NewUser admin{.email = *parsed_email, .password = *password, .is_admin = true};
  const std::string hash = platform::security::HashPassword(password->value());
  auto created = boost::asio::co_spawn(loop, users.Create(admin, hash), boost::asio::use_future);
  while (created.wait_for(std::chrono::seconds(0)) != std::future_status::ready) loop.run_one();
  const auto user = created.get();
  if (!user) return Fail(Explain(user.error()));
  fmt::print("Created administrator {} with id {}.\n", user->email.value(), user->id.value());
  return 0;
}

}  // namespace

void AddCreateAdminCommand(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("create-admin", "Create an administrator's account");
  command->footer(
      "The password is asked for, or read from standard input:\n"
      "  customers create-admin --email me@example.com < password-file");
  const auto email = std::make_shared<std::string>();
  command->add_option("--email", *email, "The account's email address")->required();
  command->callback([email, &exit_code] { exit_code = CreateAdmin(*email); });
}

}  // namespace customers
