#include "services/customers/src/create_admin.h"

#include <fmt/core.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <boost/asio/io_context.hpp>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "platform/config/environment.h"
#include "platform/schema/text.h"
#include "platform/security/password.h"
#include "platform/service/database.h"
#include "platform/service/program.h"
#include "platform/service/settings.h"
#include "services/customers/src/command_line.h"
#include "services/customers/src/config.h"
#include "services/customers/src/store/user_store.h"

namespace customers {
namespace {

// Turns the terminal's echo off for as long as it lives. Restores it also if a signal ends the
// process. Only one may exist at a time.
class SilentTerminal {
 public:
  SilentTerminal() {
    tcgetattr(STDIN_FILENO, &before);
    struct sigaction action{};
    action.sa_handler = [](int signal) {
      Restore();
      raise(signal);  // Has its usual effect after this handler has returned.
    };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    for (const int signal : kSignals) sigaction(signal, &action, nullptr);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~SilentTerminal() {
    Restore();
    for (const int signal : kSignals) std::signal(signal, SIG_DFL);
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;

 private:
  static constexpr std::array kSignals{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  static void Restore() { tcsetattr(STDIN_FILENO, TCSAFLUSH, &before); }

  static inline termios before{};
};

std::string ReadPassword() {
  std::string password;
  if (isatty(STDIN_FILENO) != 0) {
    fmt::print(stderr, "Password: ");
    const SilentTerminal silence;
    std::getline(std::cin, password);
    fmt::print(stderr, "\n");
  } else {
    std::getline(std::cin, password);
    // The line comes from a Windows file, because no terminal sends this character.
    if (password.ends_with('\r')) password.pop_back();
  }
  return password;
}

int CreateAdmin(const std::string& email) {
  platform::config::Environment environment;
  const auto settings = platform::service::ReadPostgresSettings(environment);
  const std::int32_t min_length = ReadPasswordMinLength(environment);
  const platform::security::HashForm hash_form = ReadHashForm(environment);
  if (platform::service::ReportMistakes(environment)) {
    return platform::service::kMistakenConfiguration;
  }
  const auto parsed_email = Email::Parse(email);
  if (!parsed_email) return Fail("--email: " + std::string(parsed_email.error()));
  std::string typed = ReadPassword();
  if (!platform::schema::IsText(typed)) return Fail("password: Not valid UTF-8 text.");
  NewPassword::SetMinLength(static_cast<std::size_t>(min_length));
  const auto password = NewPassword::Parse(std::move(typed));
  if (!password) return Fail("password: " + std::string(password.error()));

  boost::asio::io_context loop;
  platform::postgres::Client database(loop.get_executor(), settings,
                                      platform::service::MakeClientOptions("create-admin"));
  UserStore users(database);
  const NewUser admin{.email = *parsed_email, .password = *password, .is_admin = true};
  const std::string hash = platform::security::HashPassword(password->value(), hash_form);
  const auto user = RunUntilDone(loop, users.Create(Actor::Nobody(), admin, hash));
  if (!user) return Fail(user.error());
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
