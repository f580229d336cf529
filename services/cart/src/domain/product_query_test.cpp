#include "services/cart/src/domain/product_query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "platform/schema/parse.h"
#include "platform/security/base64.h"

namespace cart {
namespace {

using platform::FieldErrors;
using platform::schema::Parse;
using platform::schema::Source;
using testing::ElementsAre;
using testing::Pair;

Product Lamp() {
  return {.id = ProductId::Unchecked(17),
          .name = "A lamp & more ☃",
          .price = Money::Unchecked("24.90")};
}

std::string Position(const Product& product, const std::string& sort) {
  return std::get<std::string>(ProductPosition::Of(product, ProductSort::Unchecked(sort)));
}

TEST(ProductPosition, IsTheIdInAListWithoutSort) {
  EXPECT_EQ(std::get<std::int32_t>(ProductPosition::Of(Lamp(), std::nullopt)), 17);
  const auto query = Parse<ProductQuery>("after=17", Source::kQuery);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->after->id(), 17);
}

TEST(ProductPosition, ComesBackFromItsText) {
  for (const auto& [sort, key] : {std::pair("id", ""),
                                  {"price", "24.90"},
                                  {"-price", "24.90"},
                                  {"name", "A lamp & more ☃"}}) {
    const std::string text = Position(Lamp(), sort);
    // It needs no escapes in a URL.
    EXPECT_THAT(text, testing::MatchesRegex("~[A-Za-z0-9_-]+"));
    const auto query =
        Parse<ProductQuery>("sort=" + std::string(sort) + "&after=" + text, Source::kQuery);
    ASSERT_TRUE(query) << sort;
    EXPECT_EQ(query->after->id(), 17);
    EXPECT_EQ(query->after->key(), key);
  }
}

TEST(ProductPosition, HasThePartOfALongNameThatIsSorted) {
  Product product = Lamp();
  product.name.clear();
  for (int i = 0; i < 300; ++i) product.name += "☃";
  const auto position = ProductPosition::Parse(Position(product, "name"));
  ASSERT_TRUE(position);
  EXPECT_EQ(position->key(), product.name.substr(0, 256 * std::string("☃").size()));
}

TEST(ProductPosition, RefusesWhatItHasNotMade) {
  const auto made = [](std::string_view text) {
    return "~" + platform::security::EncodeBase64Url(text);
  };
  for (const std::string& after :
       {std::string("~"), std::string("~*"), made(""), made("price"), made("price 1"),
        made("price 1 "), made("price x 1.00"), made("price 1 x"), made("price 1 NaN"),
        made("price 1 1.0.0"), made("price 1 -1"), made("price 1 ."), made("price 99999999999 1"),
        made("stock 1 1"), made(std::string_view("price 1 1\0", 10)),
        made("price 1 " + std::string(1001, '9'))}) {
    const auto query = Parse<ProductQuery>("sort=price&after=" + after, Source::kQuery);
    ASSERT_FALSE(query) << after;
    EXPECT_THAT(query.error().fields,
                ElementsAre(Pair("after", ElementsAre("Not a position in this list."))))
        << after;
  }
}

TEST(ProductPosition, BelongsToItsList) {
  const std::string price = Position(Lamp(), "price");
  for (const std::string& query : {"after=" + price, "sort=-price&after=" + price,
                                   "sort=id&after=" + price, std::string("sort=price&after=17")}) {
    EXPECT_FALSE(Parse<ProductQuery>(query, Source::kQuery)) << query;
  }
}

}  // namespace
}  // namespace cart
