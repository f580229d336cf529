#include "platform/http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <chrono>
#include <set>
#include <string>
#include <utility>

#include "platform/http/date.h"

namespace platform::http {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr ErrorCode kCodes[] = {
    ErrorCode::kInvalidArgument,  ErrorCode::kUnprocessable, ErrorCode::kUnauthenticated,
    ErrorCode::kPermissionDenied, ErrorCode::kNotFound,      ErrorCode::kConflict,
    ErrorCode::kTooManyRequests,  ErrorCode::kUnavailable,   ErrorCode::kInternal};
constexpr ErrorStatus kOfHttpAlone[] = {
    ErrorStatus::kMethodNotAllowed, ErrorStatus::kRequestTimeout, ErrorStatus::kPayloadTooLarge,
    ErrorStatus::kExpectationFailed, ErrorStatus::kHeaderFieldsTooLarge};

TEST(ToResponse, NamesTheStatus) {
  const Response response = ToResponse(Error::NotFound());
  EXPECT_EQ(response.status, 404U);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body, R"({"error":{"code":"not_found","message":"404: Not Found"}})");
  EXPECT_THAT(response.headers, IsEmpty());
}

TEST(ToResponse, GivesTheReason) {
  EXPECT_EQ(ToResponse(Error::PermissionDenied("Token is \"revoked\"")).body,
            R"({"error":{"code":"forbidden","message":"403: Token is \"revoked\""}})");
}

TEST(ToResponse, ListsBadFields) {
  const Error error{.code = ErrorCode::kUnprocessable,
                    .reason = "never shown beside fields",
                    .fields = {{"b", {"first", "sec\nond"}}, {"a\"", {"\xc3\xa9"}}}};
  const Response response = ToResponse(error);
  EXPECT_EQ(response.status, 422U);
  EXPECT_EQ(response.body, R"({"error":{"code":"unprocessable_entity",)"
                           R"("message":"Request validation has failed",)"
                           R"("fields":{"a\"":["é"],"b":["first","sec\nond"]}}})");
}

TEST(ToResponse, TellsWhenToTryAgain) {
  EXPECT_THAT(ToResponse(Error::Unavailable(std::chrono::seconds(7))).headers,
              ElementsAre(Pair("Retry-After", "7")));
}

TEST(ToResponse, ChallengesWhomItDoesNotKnow) {
  EXPECT_THAT(ToResponse({.code = ErrorCode::kUnauthenticated}).headers,
              ElementsAre(Pair("WWW-Authenticate", "Bearer")));
}

TEST(ToResponse, TellsNothingOfWhatIsBroken) {
  EXPECT_EQ(ToResponse(Error::Internal()).body,
            R"({"error":{"code":"internal_server_error","message":"500: Internal Server Error"}})");
}

TEST(ToResponse, KnowsEveryCode) {
  std::set<unsigned> statuses;
  const auto check = [&](ErrorStatus status, const Response& response) {
    EXPECT_EQ(response.status, std::to_underlying(status));
    EXPECT_GE(response.status, 400U);
    EXPECT_TRUE(statuses.insert(response.status).second) << response.status;
    const auto error = boost::json::parse(response.body).at("error");
    EXPECT_EQ(std::string_view(error.at("code").as_string()), NameOf(status).code);
    EXPECT_EQ(std::string_view(error.at("message").as_string()),
              std::to_string(response.status) + ": " + std::string(NameOf(status).reason));
  };
  for (const ErrorCode code : kCodes) check(StatusOf(code), ToResponse({.code = code}));
  for (const ErrorStatus status : kOfHttpAlone) check(status, ToResponse(status));
}

TEST(ReasonPhrase, IsTheStandardOne) {
  EXPECT_EQ(ReasonPhrase(200), "OK");
  EXPECT_EQ(ReasonPhrase(204), "No Content");
  EXPECT_EQ(ReasonPhrase(422), "Unprocessable Entity");
  EXPECT_EQ(ReasonPhrase(429), "Too Many Requests");
}

TEST(Method, HasItsName) {
  EXPECT_EQ(Name(Method::kGet), "GET");
  EXPECT_EQ(Name(Method::kDelete), "DELETE");
  EXPECT_EQ(Name(Method::kOptions), "OPTIONS");
  EXPECT_EQ(Name(Method::kOther), "");
}

TEST(Request, FindsHeadersInAnyCase) {
  const HeaderField fields[] = {{"X-A", "1"}, {"x-a", "2"}, {"B", ""}};
  const Request request{.headers = fields};
  EXPECT_EQ(request.Header("x-A"), "1");
  EXPECT_EQ(request.Header("b"), "");
  EXPECT_EQ(request.Header("X"), std::nullopt);
}

TEST(HttpDate, IsAnImfFixdate) {
  EXPECT_THAT(std::string(HttpDate()),
              testing::MatchesRegex("(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9][0-9] [A-Z][a-z][a-z] "
                                    "[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"));
}

}  // namespace
}  // namespace platform::http
