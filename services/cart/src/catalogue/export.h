#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "platform/migrations/connection.h"

namespace cart {

struct ExportResult {
  std::size_t exported = 0;
  std::size_t without_sku = 0;  // They are left out, because an import needs an SKU.
};

// Writes all products that have an SKU, in the order of their ids, as CSV in the form that
// ImportProducts reads. `write` is called with one line at a time. Blocks until it is done. An
// error is a text for the operator.
std::expected<ExportResult, std::string> ExportProducts(
    platform::migrations::Connection& connection,
    const std::function<void(std::string_view)>& write);

}  // namespace cart
