#include "services/cart/src/domain/cart.h"

namespace cart {
namespace {

constexpr std::int32_t kMinQuantity = 1;
constexpr std::int32_t kMaxQuantity = 5;

}  // namespace

std::optional<std::string_view> ProductId::Check(std::int32_t value) {
  if (value >= 0) return std::nullopt;
  return "Must be greater than or equal to 0.";
}

void ProductId::Describe(boost::json::object& schema) {
  schema["minimum"] = 0;
  schema["examples"] = boost::json::array{1};
}

std::optional<std::string_view> Quantity::Check(std::int32_t value) {
  if (value >= kMinQuantity && value <= kMaxQuantity) return std::nullopt;
  return "Must be greater than or equal to 1 and less than or equal to 5.";
}

void Quantity::Describe(boost::json::object& schema) {
  schema["minimum"] = kMinQuantity;
  schema["maximum"] = kMaxQuantity;
  schema["examples"] = boost::json::array{2};
}

}  // namespace cart
