#pragma once

namespace CLI {
class App;
}

namespace customers {

// Adds `recovery-code --email E` to the command line. It prints a recovery code, for an
// administrator who has lost the password.
void AddRecoveryCodeCommand(CLI::App& app, int& exit_code);

}  // namespace customers
