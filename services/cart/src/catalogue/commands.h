#pragma once

namespace CLI {
class App;
}

namespace cart {

// Adds `products import FILE` and `products export` to the command line.
void AddProductsCommand(CLI::App& app, int& exit_code);

}  // namespace cart
