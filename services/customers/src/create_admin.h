#pragma once

namespace CLI {
class App;
}

namespace customers {

// Adds `create-admin --email E` to the command line: an account with all rights, its password from
// a prompt, or from the first line of standard input where that is no terminal.
void AddCreateAdminCommand(CLI::App& app, int& exit_code);

}  // namespace customers
