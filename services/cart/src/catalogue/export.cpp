#include "services/cart/src/catalogue/export.h"

namespace cart {

std::expected<ExportResult, std::string> ExportProducts(
    platform::migrations::Connection& connection,
    const std::function<void(std::string_view)>& write) {
  const auto counted = connection.Run(R"(
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT count(sku), count(*) - count(sku) FROM products)");
  if (!counted) return std::unexpected(counted.error().message);
  const auto copied = connection.CopyOut(R"(
COPY (
  SELECT sku, name, description, round(price, 2) AS price, image_url, stock,
         is_active::text AS is_active
  FROM products
  WHERE sku IS NOT NULL
  ORDER BY id
) TO STDOUT (FORMAT csv, HEADER))",
                                         write);
  if (!copied) return std::unexpected(copied.error().message);
  return ExportResult{.exported = std::stoul(counted->rows.front()[0]),
                      .without_sku = std::stoul(counted->rows.front()[1])};
}

}  // namespace cart
