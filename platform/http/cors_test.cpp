#include "platform/http/cors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace platform::http {
namespace {

using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;
using Headers = std::vector<std::pair<std::string_view, std::string>>;

constexpr const char* kShop = "https://shop.example";

// Returns the headers that are added to an answer with these headers.
Headers Added(std::string_view origins, Method method, std::vector<HeaderField> headers,
              const Headers& of_answer = {}) {
  Response response{.headers = of_answer};
  CorsPolicy::Parse(origins).value().AddHeaders(method, headers, response);
  return {response.headers.begin() + static_cast<std::ptrdiff_t>(of_answer.size()),
          response.headers.end()};
}

const auto kVary = Pair("Vary", "Origin");
const auto kAllowed = Pair("Access-Control-Allow-Origin", kShop);
const auto kExposed =
    Pair("Access-Control-Expose-Headers", "ETag, Retry-After, WWW-Authenticate, X-Request-ID");

TEST(CorsPolicy, SaysNothingByDefault) {
  EXPECT_THAT(Added("", Method::kGet, {{"Origin", kShop}}), IsEmpty());
  EXPECT_THAT(Added(" ,\n", Method::kGet, {{"Origin", kShop}}), IsEmpty());
}

TEST(CorsPolicy, LetsItsOriginsIn) {
  for (const char* origins :
       {"https://shop.example", "http://localhost:3000,https://shop.example",
        "https://a.example https://shop.example\nhttps://b.example , http://[::1]:8080"}) {
    EXPECT_THAT(Added(origins, Method::kGet, {{"Origin", kShop}}),
                UnorderedElementsAre(kVary, kAllowed, kExposed))
        << origins;
  }
}

TEST(CorsPolicy, LetsNoOtherIn) {
  for (const char* origin : {"https://shop.example.evil.example", "http://shop.example",
                             "https://shop.example:444", "https://SHOP.example", "null", "*", "",
                             "https://evil.example", "https://shop.example,https://evil.example"}) {
    EXPECT_THAT(Added(kShop, Method::kGet, {{"Origin", origin}}), UnorderedElementsAre(kVary))
        << origin;
  }
  EXPECT_THAT(Added(kShop, Method::kGet, {}), UnorderedElementsAre(kVary));
}

TEST(CorsPolicy, AnswersPreflights) {
  const Headers allow = {{"Allow", "GET, HEAD, OPTIONS"}};
  const std::vector<HeaderField> preflight = {{"Origin", kShop},
                                              {"Access-Control-Request-Method", "GET"},
                                              {"Access-Control-Request-Headers", "authorization"}};
  EXPECT_THAT(Added(kShop, Method::kOptions, preflight, allow),
              UnorderedElementsAre(kVary, kAllowed,
                                   Pair("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"),
                                   Pair("Access-Control-Allow-Headers",
                                        "Authorization, Content-Type, If-Match, "
                                        "If-None-Match, X-Request-ID, traceparent"),
                                   Pair("Access-Control-Max-Age", "7200")));
  EXPECT_THAT(Added("https://other.example", Method::kOptions, preflight, allow),
              UnorderedElementsAre(kVary));
}

TEST(CorsPolicy, TakesNothingElseForAPreflight) {
  const Headers allow = {{"Allow", "GET, HEAD, OPTIONS"}};
  const auto plain = UnorderedElementsAre(kVary, kAllowed, kExposed);
  EXPECT_THAT(Added(kShop, Method::kOptions, {{"Origin", kShop}}, allow), plain);
  // 405, and an unknown path.
  const std::vector<HeaderField> asking = {{"Origin", kShop},
                                           {"Access-Control-Request-Method", "GET"}};
  EXPECT_THAT(Added(kShop, Method::kPut, asking, allow), plain);
  EXPECT_THAT(Added(kShop, Method::kOptions, asking), plain);
}

TEST(CorsPolicy, NamesWhatIsNoOrigin) {
  for (const char* origin : {"*",
                             "null",
                             "shop.example",
                             "https://",
                             "https://shop.example/",
                             "https://Shop.example",
                             "HTTPS://shop.example",
                             "https://shop.example:443",
                             "http://shop.example:80",
                             "https://shop.example:",
                             "https://shop.example:0444",
                             "https://shop.example:99999",
                             "https://*.shop.example",
                             "https://shop.example/path",
                             "https://shop.example?",
                             "https://shop.example#",
                             "https://user@shop.example",
                             "ftp://shop.example",
                             "https://sh%6fp.example",
                             "https://m\xc3\xbcller.example",
                             "https:shop.example",
                             "https://shop.example;https://other.example"}) {
    const auto policy = CorsPolicy::Parse(std::string("http://localhost:3000, ") + origin);
    ASSERT_FALSE(policy) << origin;
    EXPECT_EQ(policy.error(), origin);
  }
}

}  // namespace
}  // namespace platform::http
