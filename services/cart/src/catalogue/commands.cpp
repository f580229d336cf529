#include "services/cart/src/catalogue/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include "platform/config/environment.h"
#include "platform/migrations/connection.h"
#include "platform/service/program.h"
#include "platform/service/settings.h"
#include "services/cart/src/catalogue/export.h"
#include "services/cart/src/catalogue/import.h"

namespace cart {
namespace {

using platform::migrations::Connection;

constexpr std::chrono::seconds kConnectTimeout{5};

// Prints the problem to stderr. Returns the exit code.
int Fail(std::string_view problem) {
  fmt::print(stderr, "cart: {}\n", problem);
  return 1;
}

// One line that shows the progress, if stderr is a terminal.
class ProgressLine {
 public:
  ProgressLine() = default;
  ~ProgressLine() {
    if (is_shown_) fmt::print(stderr, "{}", kClear);
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Show(std::string_view text) {
    const auto now = std::chrono::steady_clock::now();
    if (!is_terminal_ || (is_shown_ && now - last_ < kPause)) return;
    is_shown_ = true;
    last_ = now;
    fmt::print(stderr, "{}{} …", kClear, text);
  }

 private:
  static constexpr std::string_view kClear = "\r\x1b[K";
  static constexpr std::chrono::milliseconds kPause{200};

  const bool is_terminal_ = isatty(STDERR_FILENO) != 0;
  bool is_shown_ = false;
  std::chrono::steady_clock::time_point last_;
};

// Calls `work`, which returns the exit code, with a connection to the database.
int WithDatabase(const std::function<int(Connection&)>& work) {
  platform::config::Environment environment;
  const auto settings = platform::service::ReadPostgresSettings(environment);
  if (platform::service::ReportMistakes(environment)) {
    return platform::service::kMistakenConfiguration;
  }
  auto connection = Connection::Open(
      settings, kConnectTimeout, [](std::string_view warning) { Fail(warning); },
      "microcart-products");
  if (!connection) return Fail(connection.error().message);
  return work(*connection);
}

int ImportFrom(std::istream& csv, Connection& connection) {
  const auto result = [&] {
    ProgressLine line;
    return ImportProducts(connection, csv, [&line](std::string_view text) { line.Show(text); });
  }();
  if (!result) return Fail(result.error());
  fmt::print("{} products created, {} updated, {} unchanged\n", result->created, result->updated,
             result->unchanged);
  return 0;
}

int Import(const std::string& file) {
  return WithDatabase([&file](Connection& connection) {
    if (file == "-") return ImportFrom(std::cin, connection);
    std::ifstream csv(file, std::ios::binary);
    if (!csv) return Fail(fmt::format("cannot open {}", file));
    return ImportFrom(csv, connection);
  });
}

int Export() {
  return WithDatabase([](Connection& connection) {
    const auto result = ExportProducts(connection, [](std::string_view line) {
      std::fwrite(line.data(), 1, line.size(), stdout);
    });
    if (!result) return Fail(result.error());
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      return Fail("the products cannot be written");
    }
    if (result->without_sku > 0) {
      fmt::print(stderr, "cart: left out {} products without an SKU\n", result->without_sku);
    }
    return 0;
  });
}

}  // namespace

void AddProductsCommand(CLI::App& app, int& exit_code) {
  auto* products = app.add_subcommand("products", "Import or export the products");
  products->require_subcommand(1);

  auto* import = products->add_subcommand("import", "Create or update products from a CSV file");
  import->footer(
      "The first line names the columns, in any order:\n"
      "  sku          required; a product that has this SKU, whatever its case, is updated\n"
      "  name, price  required for new products; a price is written like 24.90\n"
      "  description, image_url, stock\n"
      "               may be empty; without a stock, the product can always be bought\n"
      "  is_active    true or false; without the column, new products are on sale\n"
      "A column that is missing leaves the products' values unchanged.\n\n"
      "The file is UTF-8, with commas, and quotation marks around fields that contain a comma, a\n"
      "quotation mark (doubled) or a line break. All lines are imported, or none: bad lines are\n"
      "listed with their numbers and reasons, 100 at most.\n\n"
      "Examples:\n"
      "  cart products import products.csv\n"
      "  cart products export | sed 's/,true$/,false/' | cart products import -\n");
  const auto file = std::make_shared<std::string>();
  import->add_option("FILE", *file, "The CSV file; - is standard input")->required();
  import->callback([file, &exit_code] { exit_code = Import(*file); });

  auto* export_command =
      products->add_subcommand("export", "Write all products that have an SKU as CSV");
  export_command->footer(
      "The lines are written to standard output, in the form that `cart products import` reads.\n"
      "Importing an export changes nothing.\n");
  export_command->callback([&exit_code] { exit_code = Export(); });
}

}  // namespace cart
