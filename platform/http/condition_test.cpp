#include "platform/http/condition.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

namespace platform::http {
namespace {

using Headers = std::vector<HeaderField>;

TEST(IfMatch, HasTheTagsOfAllHeaders) {
  const auto read = [](const Headers& headers) { return ReadIfMatch({.headers = headers}); };
  EXPECT_EQ(read({}), std::nullopt);
  EXPECT_EQ(read({{"If-None-Match", R"("a")"}}), std::nullopt);
  for (const auto& [value, tags] : std::vector<std::pair<std::string_view, StateTags>>{
           {R"("7-a")", {R"("7-a")"}},
           {"*", {"*"}},
           {R"("")", {R"("")"}},
           {R"("a", "b,c" ,"*")", {R"("a")", R"("b,c")", R"("*")"}},
           {R"(W/"a")", {R"(W/"a")"}},
           {R"(, "a",, )", {R"("a")"}},
           {"", {}},
           {"a", {}},
           {R"("a)", {}},
           {R"("a"b)", {}},
           {R"(w/"a")", {}},
           {R"("a", b, "c")", {R"("a")"}}}) {
    EXPECT_EQ(read({{"if-match", value}}), tags) << value;
  }
  EXPECT_EQ(read({{"If-Match", R"("a")"}, {"Host", "x"}, {"IF-MATCH", R"("b")"}}),
            (StateTags{R"("a")", R"("b")"}));
}

TEST(IfNoneMatch, ComparesWeakly) {
  const auto knows = [](std::string_view value) {
    const std::array headers{HeaderField{"If-None-Match", value}};
    return IsKnownToClient({.headers = headers}, R"("7-a")");
  };
  EXPECT_FALSE(IsKnownToClient({}, R"("7-a")"));
  for (const std::string_view value : {R"("7-a")", R"(W/"7-a")", "*", R"("x", "7-a")"}) {
    EXPECT_TRUE(knows(value)) << value;
  }
  for (const std::string_view value : {"", "7-a", R"("7-A")", R"("7")", R"("*")", R"(W/"*")"}) {
    EXPECT_FALSE(knows(value)) << value;
  }
}

TEST(TagOfBody, IsADigest) {
  EXPECT_EQ(TagOfBody(""), R"("maoG0wFHmNhgAcMkRo1Jfw")");  // XXH3, in the canonical byte order.
  EXPECT_NE(TagOfBody("a"), TagOfBody("b"));
}

TEST(CacheControl, RevalidatesWithoutALifetime) {
  EXPECT_EQ(CacheControl(std::chrono::seconds(0)), "public, no-cache");
  EXPECT_EQ(CacheControl(std::chrono::hours(1)), "public, max-age=3600");
}

}  // namespace
}  // namespace platform::http
