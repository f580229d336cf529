#pragma once

namespace CLI {
class App;
}

namespace customers {

// Adds `create-admin --email E` to the command line, which creates an administrator's account. The
// password is read from a prompt, or from the first line of standard input if that is not a
// terminal.
void AddCreateAdminCommand(CLI::App& app, int& exit_code);

}  // namespace customers
