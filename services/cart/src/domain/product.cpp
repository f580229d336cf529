#include "services/cart/src/domain/product.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <cctype>
#include <cstddef>

#include "platform/schema/describe.h"

namespace cart {
namespace {

using platform::schema::Property;

constexpr std::size_t kMaxSkuLength = 64;
constexpr std::size_t kMaxUrlBytes = 2048;

bool IsSkuCharacter(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return (byte < 0x80 && std::isalnum(byte) != 0) || std::string_view("._-").contains(character);
}

// Describes the members that a client may send.
void DescribeInput(boost::json::object& schema) {
  Property(schema, "sku")["description"] =
      "Must not be another product's, whatever its case. Null if there is none.";
  Property(schema, "stock")["description"] = "Null if the stock is not counted.";
  Property(schema, "is_active")["description"] = "Whether the product is on sale.";
}

}  // namespace

void ProductId::Describe(boost::json::object& schema) {
  schema["examples"] = boost::json::array{1};
}

void ProductName::Describe(boost::json::object& schema) {
  schema["examples"] = boost::json::array{"Desk lamp"};
}

void ProductDescription::Describe(boost::json::object& schema) {
  schema["examples"] = boost::json::array{"What it is good for."};
}

std::optional<std::string_view> Sku::Check(std::string_view value) {
  if (value.empty() || value.size() > kMaxSkuLength ||
      !std::ranges::all_of(value, IsSkuCharacter)) {
    return "Not a valid SKU.";
  }
  return std::nullopt;
}

void Sku::Describe(boost::json::object& schema) {
  schema["pattern"] = "^[A-Za-z0-9._-]{1,64}$";
  schema["examples"] = boost::json::array{"LAMP-1"};
}

std::optional<std::string_view> ImageUrl::Check(std::string_view value) {
  if (value.size() <= kMaxUrlBytes) {
    const auto url = boost::urls::parse_uri(value);
    if (url && !url->host().empty() &&
        (url->scheme_id() == boost::urls::scheme::https ||
         url->scheme_id() == boost::urls::scheme::http)) {
      return std::nullopt;
    }
  }
  return "Not a valid URL.";
}

void ImageUrl::Describe(boost::json::object& schema) {
  schema["format"] = "uri";
  schema["maxLength"] = kMaxUrlBytes;
  schema["examples"] = boost::json::array{"https://shop.example/lamp.jpg"};
}

void Stock::Describe(boost::json::object& schema) { schema["examples"] = boost::json::array{12}; }

void Product::Describe(boost::json::object& schema) {
  Property(schema, "created")["description"] = "Time at which the product was added to the store.";
  Property(schema, "name")["examples"] = boost::json::array{"Desk lamp"};
  Property(schema, "description")["examples"] = boost::json::array{"What it is good for."};
  for (const char* name : {"sku", "image_url", "stock"}) {
    platform::schema::RequireNullable(schema, name);
  }
  DescribeInput(schema);
}

void NewProduct::Describe(boost::json::object& schema) {
  DescribeInput(schema);
  Property(schema, "description")["description"] = "Empty if missing.";
  Property(schema, "is_active")["description"] = "Whether the product is on sale; true if missing.";
  schema["examples"] = boost::json::array{
      {{"name", "Desk lamp"}, {"price", "24.90"}, {"sku", "LAMP-1"}, {"stock", 12}}};
}

void ProductChange::Describe(boost::json::object& schema) {
  DescribeInput(schema);
  schema["description"] = "Missing fields stay unchanged; null removes a value.";
  schema["examples"] = boost::json::array{{{"price", "19.90"}, {"stock", nullptr}}};
}

}  // namespace cart
