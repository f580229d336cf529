#include "services/cart/src/domain/money.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "platform/schema/write.h"

namespace cart {
namespace {

using namespace std::string_view_literals;

TEST(Money, HasTwoPlaces) {
  for (const auto& [text, amount] : {std::pair("199.98"sv, "199.98"sv),
                                     {"0", "0.00"},
                                     {"5", "5.00"},
                                     {"5.5", "5.50"},
                                     {"0.01", "0.01"},
                                     {"0.1", "0.10"},
                                     {"007.50", "7.50"},
                                     {"0000000000.00", "0.00"},
                                     {"9999999999.99", "9999999999.99"},
                                     {"9999999999", "9999999999.00"}}) {
    const auto money = Money::Parse(text);
    ASSERT_TRUE(money) << text;
    EXPECT_EQ(money->value(), amount);
  }
}

TEST(Money, RefusesEverythingElse) {
  for (const std::string_view text : {""sv,
                                      "."sv,
                                      "-1"sv,
                                      "-0"sv,
                                      "+1"sv,
                                      " 1"sv,
                                      "1 "sv,
                                      "1."sv,
                                      ".5"sv,
                                      "1.234"sv,
                                      "1,5"sv,
                                      "1.2.3"sv,
                                      "1e3"sv,
                                      "0x1"sv,
                                      "NaN"sv,
                                      "Infinity"sv,
                                      "10000000000"sv,
                                      "00000000001"sv,
                                      "9999999999.999"sv,
                                      "1\0"sv,
                                      "\xd9\xa1"sv}) {
    const auto money = Money::Parse(text);
    ASSERT_FALSE(money) << text;
    EXPECT_EQ(money.error(), "Not a valid price.");
  }
}

TEST(Money, OneAmountIsOneValue) {
  EXPECT_EQ(Money::Parse("5"), Money::Parse("05.0"));
  EXPECT_NE(Money::Parse("5"), Money::Parse("5.01"));
}

TEST(Money, IsTextInJson) {
  std::string json;
  platform::schema::Write(*Money::Parse("0.1"), json);
  EXPECT_EQ(json, R"("0.10")");
}

}  // namespace
}  // namespace cart
