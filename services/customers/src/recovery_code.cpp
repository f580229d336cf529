#include "services/customers/src/recovery_code.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "platform/config/environment.h"
#include "platform/schema/write.h"
#include "platform/service/database.h"
#include "platform/service/program.h"
#include "services/customers/src/command_line.h"
#include "services/customers/src/store/recovery_store.h"
#include "services/customers/src/store/user_store.h"

namespace customers {
namespace {

int MakeRecoveryCode(const std::string& email) {
  platform::config::Environment environment;
  const auto settings = platform::service::ReadPostgresSettings(environment);
  if (platform::service::ReportMistakes(environment)) {
    return platform::service::kMistakenConfiguration;
  }

  boost::asio::io_context loop;
  platform::postgres::Client database(loop.get_executor(), settings,
                                      platform::service::MakeClientOptions("recovery-code"));
  UserStore users(database);
  const auto account = RunUntilDone(loop, users.FindCredentialsByEmail(email));
  if (!account) return Fail(account.error());
  if (!*account) return Fail("no account has this email");
  RecoveryStore recovery(database);
  const auto code = RunUntilDone(loop, recovery.MakeCode(Actor::Nobody(), (*account)->id));
  if (!code) return Fail(code.error());
  std::string expires;
  platform::schema::WriteTimestamp(code->expires, expires);
  fmt::print("{}\nSet a new password with this code, by POST /api/v1/auth/recover/, until {}.\n",
             code->code, expires);
  return 0;
}

}  // namespace

void AddRecoveryCodeCommand(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("recovery-code", "Make a code that replaces a lost password");
  const auto email = std::make_shared<std::string>();
  command->add_option("--email", *email, "The account's email address")->required();
  command->callback([email, &exit_code] { exit_code = MakeRecoveryCode(*email); });
}

}  // namespace customers
