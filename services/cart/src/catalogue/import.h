#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <istream>
#include <string>
#include <string_view>

#include "platform/migrations/connection.h"

namespace cart {

struct ImportResult {
  std::size_t created = 0;
  std::size_t updated = 0;
  std::size_t unchanged = 0;
};

// Creates or updates products by their SKUs from CSV, all or nothing, in one transaction. The first
// line names the columns, a product's fields in any order: `sku`, and of the others those that are
// to be set. A product whose fields all have the values of the file is not written.
//
// Blocks until it is done. `progress` is called with a short text now and then. An error is a text
// for the operator, which lists bad lines with their numbers.
std::expected<ImportResult, std::string> ImportProducts(
    platform::migrations::Connection& connection, std::istream& csv,
    const std::function<void(std::string_view)>& progress);

}  // namespace cart
