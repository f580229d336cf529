#include "services/cart/src/domain/product.h"

#include <gtest/gtest.h>

#include <string>

#include "platform/schema/parse.h"

namespace cart {
namespace {

using platform::schema::Parse;
using platform::schema::Source;

TEST(Sku, AcceptsLettersDigitsAndThreeMore) {
  for (const std::string& text :
       {std::string("a"), std::string("LAMP-1"), std::string("0._-zZ"), std::string(64, 'x')}) {
    EXPECT_TRUE(Sku::Parse(text)) << text;
  }
}

TEST(Sku, RefusesEverythingElse) {
  for (const std::string& text :
       {std::string(), std::string(65, 'x'), std::string("a b"), std::string("a/b"),
        std::string("ä"), std::string("a\n"), std::string(" a"), std::string("a,b")}) {
    EXPECT_FALSE(Sku::Parse(text)) << text;
  }
}

TEST(ImageUrl, IsAbsoluteAndOfTheWeb) {
  const std::string longest = "https://h/" + std::string(2038, 'x');
  for (const std::string& text : {std::string("https://shop.example/lamp.jpg"),
                                  std::string("http://127.0.0.1:8080/a%20b?c=d#e"),
                                  std::string("HTTPS://shop.example"), longest}) {
    EXPECT_TRUE(ImageUrl::Parse(text)) << text;
  }
  for (const std::string& text :
       {std::string(), std::string("lamp.jpg"), std::string("/lamp.jpg"),
        std::string("//shop.example/lamp.jpg"), std::string("ftp://shop.example/lamp.jpg"),
        std::string("javascript:alert(1)"), std::string("https:"), std::string("https:///lamp.jpg"),
        std::string("https://shop.example/a b"), std::string("https://shop.example/%zz"),
        longest + "x"}) {
    EXPECT_FALSE(ImageUrl::Parse(text)) << text;
  }
}

TEST(ProductChange, DistinguishesMissingFromNull) {
  const auto change = Parse<ProductChange>(R"({"sku": null, "stock": 3})", Source::kBody);
  ASSERT_TRUE(change);
  ASSERT_TRUE(change->sku);
  EXPECT_FALSE(*change->sku);
  EXPECT_EQ(change->stock->value().value(), 3);
  EXPECT_FALSE(change->image_url);
  EXPECT_FALSE(Parse<ProductChange>(R"({"name": null})", Source::kBody));
}

}  // namespace
}  // namespace cart
