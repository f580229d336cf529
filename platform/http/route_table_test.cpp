#include "platform/http/route_table.h"

#include <gtest/gtest.h>

#include <string>

namespace platform::http {
namespace {

using Kind = Match::Kind;

RouteTable Routes() {
  RouteTable routes;
  routes.Add({.method = Method::kGet, .pattern = "/users/list/"});
  routes.Add({.method = Method::kDelete, .pattern = "/users/{user_id}/"});
  routes.Add({.method = Method::kGet, .pattern = "/users/{user_id}/"});
  routes.Add({.method = Method::kPatch, .pattern = "/users/{user_id}/"});
  routes.Add({.method = Method::kPost, .pattern = "/items/{cart_id}/create"});
  routes.Add({.method = Method::kDelete, .pattern = "/users/{user_id}/sessions/{session_id}/"});
  return routes;
}

TEST(RouteTable, FindsByMethodAndPath) {
  const RouteTable routes = Routes();
  EXPECT_EQ(routes.Find(Method::kGet, "/users/list/").kind, Kind::kFound);
  EXPECT_EQ(routes.Find(Method::kGet, "/users/list/").route, 0U);

  const Match match = routes.Find(Method::kPatch, "/users/42/");
  EXPECT_EQ(match.kind, Kind::kFound);
  EXPECT_EQ(match.route, 3U);
  EXPECT_EQ(match.ids.front(), 42);
  EXPECT_EQ(routes.Find(Method::kPost, "/items/7/create").ids.front(), 7);
}

TEST(RouteTable, ReadsTheIdsInThePathsOrder) {
  const Match match = Routes().Find(Method::kDelete, "/users/42/sessions/007/");
  EXPECT_EQ(match.kind, Kind::kFound);
  EXPECT_EQ(match.ids, (PathIds{42, 7}));
}

TEST(RouteTable, NamesTheParametersOfAPattern) {
  using Names = std::vector<std::string_view>;
  EXPECT_EQ(ParameterNames("/users/list/"), Names());
  EXPECT_EQ(ParameterNames("/users/{user_id}/sessions/{session_id}/"),
            (Names{"user_id", "session_id"}));
}

TEST(RouteTable, FindsGetForHead) {
  EXPECT_EQ(Routes().Find(Method::kHead, "/users/1/").route, 2U);
  EXPECT_EQ(Routes().Find(Method::kHead, "/items/1/create").kind, Kind::kOtherMethod);
}

class Numbers : public ::testing::TestWithParam<std::pair<std::string, std::int32_t>> {};

TEST_P(Numbers, AreParameters) {
  const auto& [text, number] = GetParam();
  const Match match = Routes().Find(Method::kGet, "/users/" + text + "/");
  EXPECT_EQ(match.kind, Kind::kFound);
  EXPECT_EQ(match.ids.front(), number);
}

INSTANTIATE_TEST_SUITE_P(, Numbers,
                         ::testing::Values(std::pair("0", 0), std::pair("007", 7),
                                           std::pair("2147483647", 2147483647),
                                           std::pair("00000000000000000000001", 1)));

class UnknownPaths : public ::testing::TestWithParam<std::string> {};

TEST_P(UnknownPaths, AreUnknownToEveryMethod) {
  const RouteTable routes = Routes();
  for (const Method method : {Method::kGet, Method::kHead, Method::kPost, Method::kPut,
                              Method::kPatch, Method::kDelete, Method::kOptions, Method::kOther}) {
    const Match match = routes.Find(method, GetParam());
    EXPECT_EQ(match.kind, Kind::kUnknownPath);
    EXPECT_EQ(match.allow, "");
  }
}

INSTANTIATE_TEST_SUITE_P(, UnknownPaths,
                         ::testing::Values("", "/", "/users", "/users/", "/users//", "/users/list",
                                           "/users/list//", "/users/1", "/users/1//", "//users/1/",
                                           "/users/x/", "/users/1x/", "/users/x1/", "/users/-1/",
                                           "/users/+1/", "/users/ 1/", "/users/1 /", "/users/1.0/",
                                           "/users/1e3/", "/users/0x1/", "/users/2147483648/",
                                           "/users/4294967297/", "/users/18446744073709551617/",
                                           "/users/%31/", "/users/1/../2/", "/users/../users/1/",
                                           "/Users/1/", "/items/1/create/", "/items//create",
                                           "/items/create", "/users/1/\n"));

TEST(RouteTable, ListsWhatAPathAllows) {
  const RouteTable routes = Routes();
  const auto allow = [&](Method method, std::string_view path) {
    const Match match = routes.Find(method, path);
    EXPECT_EQ(match.kind, Kind::kOtherMethod);
    return match.allow;
  };
  EXPECT_EQ(allow(Method::kPost, "/users/1/"), "GET, HEAD, PATCH, DELETE, OPTIONS");
  EXPECT_EQ(allow(Method::kOptions, "/users/1/"), "GET, HEAD, PATCH, DELETE, OPTIONS");
  EXPECT_EQ(allow(Method::kOther, "/users/list/"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(allow(Method::kGet, "/items/1/create"), "POST, OPTIONS");
}

}  // namespace
}  // namespace platform::http
