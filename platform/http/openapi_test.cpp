#include "platform/http/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/describe/class.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "platform/http/router.h"
#include "platform/schema/paging.h"

namespace platform::http {

using schema::AfterId;
using schema::ListQuery;
using schema::Page;

struct Pot {
  AfterId id;
  std::string colour;
  std::optional<bool> has_lid;

  static void Describe(boost::json::object& schema) {
    schema::Property(schema, "colour")["examples"] = boost::json::array{"green"};
  }
};
BOOST_DESCRIBE_STRUCT(Pot, (), (id, colour, has_lid))

namespace {

namespace json = boost::json;
using testing::ElementsAre;

struct Kitchen {};

struct CookOnly {
  struct Grant {};
  static AccessDescription Describe() {
    return {.needs_token = true, .errors = {ErrorCode::kUnauthenticated}};
  }
  Task<Result<Grant>> operator()(Kitchen&, const Request&) const { co_return Grant(); }
};

Task<Result<Page<Pot>>> ListPots(ListQuery) { co_return Page<Pot>(); }
Task<Result<Created<Pot>>> MakePot(Pot pot) { co_return Created<Pot>{std::move(pot)}; }
Task<Result<Tagged<Pot>>> ShowPot(AfterId) { co_return Tagged<Pot>(); }
Task<Result<CreatedOrFound<Pot>>> SellPot(AfterId, RequiredIfMatch) {
  co_return CreatedOrFound<Pot>();
}
Task<Result<void>> BreakPot(AfterId) { co_return Result<void>(); }

json::object Document() {
  Router<Kitchen> routes;
  auto pots = routes.Group("/pots", {.name = "pots", .description = "Round"});
  pots.Add(Method::kGet, "/", Anyone(), ListPots, {.id = "listPots"});
  pots.Add(Method::kPost, "/", Anyone(), MakePot,
           {.id = "makePot",
            .summary = "Make a pot",
            .errors = {ErrorCode::kUnauthenticated, ErrorCode::kTooManyRequests}});
  pots.Add(Method::kDelete, "/{old_pot_id}/", CookOnly(), BreakPot, {.id = "breakPot"});
  pots.Add(Method::kGet, "/{pot_id}/", Anyone(), ShowPot, {.id = "showPot"});
  pots.Add(Method::kPost, "/{pot_id}/", CookOnly(), SellPot, {.id = "sellPot"});
  routes.AddRaw(Method::kGet, "/hidden",
                [](Kitchen&, const Request&) -> Task<Response> { co_return Response(); });
  return json::parse(MakeOpenApi(routes.table(), {.title = "Kitchen", .description = "Of pots."}))
      .as_object();
}

// Returns the value at a JSON pointer as text; "" if there is none.
std::string At(std::string_view pointer) {
  static const json::value document = Document();
  boost::system::error_code error;
  const json::value* found = document.find_pointer(pointer, error);
  return found == nullptr ? "" : json::serialize(*found);
}

std::set<std::string> Keys(std::string_view pointer) {
  std::set<std::string> keys;
  const json::value found = json::parse(At(pointer));
  for (const auto& entry : found.as_object()) keys.insert(entry.key());
  return keys;
}

TEST(OpenApi, DescribesTheApiAsAWhole) {
  EXPECT_EQ(At("/openapi"), R"("3.1.0")");
  EXPECT_EQ(At("/info/title"), R"("Kitchen")");
  EXPECT_EQ(At("/servers"), R"([{"url":"/"}])");
  EXPECT_EQ(At("/tags"), R"([{"name":"pots","description":"Round"}])");
  EXPECT_THAT(Keys("/paths"), ElementsAre("/pots/", "/pots/{old_pot_id}/", "/pots/{pot_id}/"));
  EXPECT_THAT(Keys("/paths/~1pots~1"), ElementsAre("get", "post"));
}

TEST(OpenApi, DescribesParameters) {
  EXPECT_EQ(At("/paths/~1pots~1/get/parameters/1"),
            R"({"name":"limit","in":"query","description":"Maximum number of rows.",)"
            R"("schema":{"type":"integer","format":"int32","minimum":1,"maximum":1000,)"
            R"("default":1000}})");
  EXPECT_EQ(At("/paths/~1pots~1{old_pot_id}~1/delete/parameters"),
            R"([{"name":"old_pot_id","in":"path","description":"The id of the old pot.",)"
            R"("required":true,"schema":{"type":"integer","format":"int32","minimum":0,)"
            R"("maximum":2147483647,"examples":[3]}}])");
}

TEST(OpenApi, DescribesBodiesWithExamples) {
  const std::string body = "/paths/~1pots~1/post/requestBody";
  EXPECT_EQ(At(body + "/required"), "true");
  EXPECT_EQ(At(body + "/content/application~1json/schema/$ref"), R"("#/components/schemas/Pot")");
  EXPECT_EQ(At(body + "/content/application~1json/example"), R"({"id":1,"colour":"green"})");
  EXPECT_EQ(At("/components/schemas/Pot/required"), R"(["id","colour"])");
  EXPECT_EQ(At("/paths/~1pots~1/get/responses/200/content/application~1json/example"),
            R"({"data":[{"id":1,"colour":"green"}],"next":null})");
  EXPECT_EQ(At("/paths/~1pots~1{old_pot_id}~1/delete/responses/204/content"), "");
}

TEST(OpenApi, ListsTheErrorsThatCanHappen) {
  EXPECT_THAT(Keys("/paths/~1pots~1/get/responses"),
              ElementsAre("200", "400", "405", "422", "431", "500", "503"));
  EXPECT_THAT(Keys("/paths/~1pots~1/post/responses"),
              ElementsAre("201", "400", "401", "405", "413", "422", "429", "431", "500", "503"));
  EXPECT_THAT(Keys("/paths/~1pots~1{old_pot_id}~1/delete/responses"),
              ElementsAre("204", "401", "404", "405", "431", "500", "503"));
}

TEST(OpenApi, DescribesConditions) {
  const std::string get = "/paths/~1pots~1{pot_id}~1/get";
  const std::string post = "/paths/~1pots~1{pot_id}~1/post";
  EXPECT_EQ(At(get + "/parameters/1/name"), R"("If-None-Match")");
  EXPECT_EQ(At(get + "/parameters/1/required"), "false");
  EXPECT_EQ(At(post + "/parameters/1/name"), R"("If-Match")");
  EXPECT_EQ(At(post + "/parameters/1/required"), "true");
  EXPECT_THAT(Keys(get + "/responses"),
              ElementsAre("200", "304", "404", "405", "431", "500", "503"));
  EXPECT_THAT(Keys(post + "/responses"),
              ElementsAre("200", "201", "401", "404", "405", "412", "428", "431", "500", "503"));
  EXPECT_THAT(Keys(get + "/responses/304/headers"), ElementsAre("ETag", "X-Request-ID"));
  EXPECT_EQ(At(get + "/responses/304/content"), "");
  EXPECT_THAT(Keys(get + "/responses/200/headers"), ElementsAre("ETag", "X-Request-ID"));
  EXPECT_THAT(Keys(post + "/responses/201/headers"), ElementsAre("X-Request-ID"));
}

TEST(OpenApi, DescribesEachErrorOnce) {
  const std::string error = "/components/responses/unprocessable_entity/content/application~1json";
  EXPECT_EQ(At(error + "/schema/properties/error/properties/code"),
            R"({"const":"unprocessable_entity"})");
  EXPECT_EQ(At(error + "/example/error/message"), R"("Request validation has failed")");
  EXPECT_EQ(At("/components/responses/not_found/content/application~1json/schema/properties/error"
               "/properties/fields"),
            "");
  EXPECT_EQ(At("/components/responses/forbidden"), "");  // No route of this test has it.
}

TEST(OpenApi, DescribesHeaders) {
  const auto headers_of = [](const std::string& response) {
    return Keys("/components/responses/" + response + "/headers");
  };
  EXPECT_THAT(headers_of("method_not_allowed"), ElementsAre("Allow", "X-Request-ID"));
  EXPECT_THAT(headers_of("service_unavailable"), ElementsAre("Retry-After", "X-Request-ID"));
  EXPECT_THAT(headers_of("too_many_requests"), ElementsAre("Retry-After", "X-Request-ID"));
  EXPECT_THAT(headers_of("unauthorized"), ElementsAre("WWW-Authenticate", "X-Request-ID"));
  EXPECT_THAT(headers_of("not_found"), ElementsAre("X-Request-ID"));
  EXPECT_THAT(Keys("/paths/~1pots~1/get/responses/200/headers"), ElementsAre("X-Request-ID"));
}

TEST(OpenApi, TellsWhoNeedsAToken) {
  EXPECT_EQ(At("/paths/~1pots~1/get/security"), "[]");
  EXPECT_EQ(At("/paths/~1pots~1/post/security"), R"([{},{"JWT-Authorization":[]}])");
  EXPECT_EQ(At("/paths/~1pots~1{old_pot_id}~1/delete/security"), R"([{"JWT-Authorization":[]}])");
  EXPECT_EQ(At("/components/securitySchemes/JWT-Authorization/name"), R"("Authorization")");
}

}  // namespace
}  // namespace platform::http
