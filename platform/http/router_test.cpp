#include "platform/http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/describe/class.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace platform::http {
namespace {

using schema::Page;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class ShelfId : public schema::ValueType<ShelfId, std::int32_t> {
 public:
  static std::optional<std::string_view> Check(std::int32_t) { return std::nullopt; }
  static void Describe(boost::json::object&) {}
};

class PageNumber : public schema::ValueType<PageNumber, std::int32_t> {};

struct Book {
  std::int32_t id = 0;
  std::string title;
};
BOOST_DESCRIBE_STRUCT(Book, (), (id, title))

struct NewBook {
  std::string title;
};
BOOST_DESCRIBE_STRUCT(NewBook, (), (title))

struct Filter {
  std::optional<std::string> title;
};
BOOST_DESCRIBE_STRUCT(Filter, (), (title))

// The steps of a request, in order.
struct App {
  std::vector<std::string> steps;
};

// Permits requests with the header "Name", except for the shelf with the number 13.
struct Readers {
  struct Grant {
    std::string name;
  };
  static AccessDescription Describe() { return {.needs_token = true}; }
  Task<Result<Grant>> operator()(App& app, const Request& request, ShelfId shelf) const {
    app.steps.push_back("access to " + std::to_string(shelf.value()));
    const auto name = request.Header("Name");
    if (!name) co_return std::unexpected(Error{.code = ErrorCode::kUnauthenticated});
    if (shelf.value() == 13) co_return std::unexpected(Error::PermissionDenied("Not this one"));
    co_return Grant{std::string(*name)};
  }
};

Task<Result<Created<Book>>> AddBook(App& app, ShelfId shelf, NewBook book) {
  app.steps.push_back("add " + book.title);
  if (book.title == "burnt") co_return std::unexpected(Error::NotFound());
  co_return Created<Book>{{.id = shelf.value(), .title = book.title}};
}

Task<Result<Book>> EveryArgument(NewBook book, const Request& request, Readers::Grant reader,
                                 App& app, ShelfId shelf) {
  app.steps.emplace_back("all");
  co_return Book{.id = shelf.value(),
                 .title = book.title + " for " + reader.name + " as " + std::string(request.id)};
}

Task<Result<Book>> ReadBodyItself(ShelfId shelf, Unparsed<NewBook> unparsed) {
  ASSIGN_OR_CO_RETURN(const NewBook book,
                      schema::Parse<NewBook>(unparsed.body, schema::Source::kBody));
  co_return Book{.id = shelf.value(), .title = "unparsed " + book.title};
}

// Takes its own id before that of the access rule.
Task<Result<Book>> FindPage(PageNumber page, ShelfId shelf) {
  co_return Book{.id = shelf.value(), .title = "page " + std::to_string(page.value())};
}

Task<Result<Page<Book>>> ListBooks(Filter filter) {
  co_return Page<Book>{
      .items = {{1, filter.title.value_or("any")}}, .next = 5, .shows_next = filter.title != "old"};
}

Task<Result<Tagged<Book>>> ShowBook(ShelfId shelf) {
  co_return Tagged<Book>{{.id = shelf.value(), .title = "Emma"}, R"("4-emma")"};
}

Task<Result<Created<Tagged<Book>>>> ReplaceBook(App& app, ShelfId shelf, IfMatch expected) {
  app.steps.push_back(expected.tags ? "if " + std::to_string(expected.tags->size()) : "any");
  co_return Created{Tagged<Book>{{.id = shelf.value(), .title = "Emma"}, R"("5-emma")"}};
}

Task<Result<CreatedOrFound<Book>>> SellBook(App& app, ShelfId shelf, RequiredIfMatch expected) {
  app.steps.push_back(expected.tags.at(0));
  co_return CreatedOrFound<Book>{{.id = shelf.value(), .title = "Sold"},
                                 expected.tags.at(0) == R"("new")"};
}

Task<Result<Cacheable<Book>>> AdvertiseBook(ShelfId shelf) {
  co_return Cacheable{Book{.id = shelf.value(), .title = "Emma"}, std::chrono::seconds(60)};
}

Task<Result<EmptyObject>> BurnBooks() { co_return EmptyObject(); }

Task<Result<void>> RemoveBooks() { co_return Result<void>(); }

Task<Result<void>> Break(App&) {
  throw std::runtime_error("password=hunter2");
  co_return Result<void>();
}

Router<App> Routes() {
  Router<App> routes;
  auto shelves = routes.Group("/shelves", {.name = "shelves", .description = "Of wood"});
  shelves.Add(Method::kPost, "/{shelf_id}/", Readers(), AddBook, {.id = "addBook"});
  shelves.Add(Method::kPatch, "/{shelf_id}/", Readers(), EveryArgument, {});
  shelves.Add(Method::kPut, "/{shelf_id}/", Readers(), ReadBodyItself, {});
  shelves.Add(Method::kGet, "/{shelf_id}/pages/{page_id}/", Readers(), FindPage, {});
  auto books = routes.Group("/books", {.name = "books", .description = "Of paper"});
  books.Add(Method::kGet, "/", Anyone(), ListBooks, {});
  books.Add(Method::kDelete, "/", Anyone(), RemoveBooks, {});
  books.Add(Method::kPut, "/", Anyone(), Break, {});
  books.Add(Method::kPost, "/", Anyone(), BurnBooks, {});
  auto shop = routes.Group("/shop", {.name = "shop", .description = "Of glass"});
  shop.Add(Method::kGet, "/{shelf_id}/", Anyone(), ShowBook, {});
  shop.Add(Method::kPut, "/{shelf_id}/", Anyone(), ReplaceBook, {});
  shop.Add(Method::kPost, "/{shelf_id}/", Anyone(), SellBook, {});
  shop.Add(Method::kGet, "/{shelf_id}/window/", Anyone(), AdvertiseBook, {});
  routes.AddRaw(Method::kGet, "/raw", [](App&, const Request& request) -> Task<Response> {
    if (request.query == "break") throw std::runtime_error("secret");
    co_return Response{.status = 418, .body = "tea", .content_type = "text/plain"};
  });
  return routes;
}

class RouterTest : public testing::Test {
 protected:
  Response Ask(const Request& request) {
    boost::asio::io_context loop;
    auto response =
        boost::asio::co_spawn(loop, routes_.Dispatch(app_, request), boost::asio::use_future);
    loop.run();
    return response.get();
  }

  const HeaderField name_[1] = {{"Name", "Ada"}};
  const Router<App> routes_ = Routes();
  App app_;
};

TEST_F(RouterTest, ParsesExecutesResponds) {
  const Response response = Ask({.method = Method::kPost,
                                 .path = "/shelves/7/",
                                 .headers = name_,
                                 .body = R"({"title": "Emma"})"});
  EXPECT_EQ(response.status, 201U);
  EXPECT_EQ(response.body, R"({"data":{"id":7,"title":"Emma"}})");
  EXPECT_EQ(response.route, "/shelves/{shelf_id}/");
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_THAT(app_.steps, ElementsAre("access to 7", "add Emma"));
}

TEST_F(RouterTest, TheIdsOfAPathGoByTheirTypes) {
  const Response response =
      Ask({.method = Method::kGet, .path = "/shelves/7/pages/45/", .headers = name_});
  EXPECT_EQ(response.body, R"({"data":{"id":7,"title":"page 45"}})");
  EXPECT_EQ(response.route, "/shelves/{shelf_id}/pages/{page_id}/");
}

TEST_F(RouterTest, APathHasTheIdsThatAreAskedFor) {
  Router<App> routes;
  auto shelves = routes.Group("/shelves", {.name = "shelves", .description = "Of wood"});
  for (const char* path : {"/", "/{shelf_id}/", "/{shelf_id}/pages/{page_id}/{word_id}/"}) {
    EXPECT_THROW(shelves.Add(Method::kGet, path, Readers(), FindPage, {}), std::invalid_argument);
  }
}

TEST_F(RouterTest, ChecksAccessBeforeTheBody) {
  for (const std::string_view body : {"no json", "{}", R"({"title": "Emma"})"}) {
    const Response stranger = Ask({.method = Method::kPost, .path = "/shelves/7/", .body = body});
    EXPECT_EQ(stranger.status, 401U);
    EXPECT_THAT(stranger.headers, ElementsAre(Pair("WWW-Authenticate", "Bearer")));
    EXPECT_EQ(Ask({.method = Method::kPost, .path = "/shelves/13/", .headers = name_, .body = body})
                  .status,
              403U);
  }
  EXPECT_THAT(app_.steps, testing::Each(testing::StartsWith("access")));
}

TEST_F(RouterTest, ChecksTheBodyBeforeTheHandler) {
  const auto status = [&](std::string_view body) {
    return Ask({.method = Method::kPost, .path = "/shelves/7/", .headers = name_, .body = body})
        .status;
  };
  EXPECT_EQ(status("no json"), 400U);
  EXPECT_EQ(status("[]"), 422U);
  EXPECT_EQ(status(""), 422U);
  EXPECT_EQ(status(R"({"title": 1})"), 422U);
  EXPECT_EQ(status(R"({"title": "a", "other": 1})"), 422U);
  EXPECT_THAT(app_.steps, testing::Each(testing::StartsWith("access")));
}

TEST_F(RouterTest, AnswersTheHandlersError) {
  const Response response = Ask({.method = Method::kPost,
                                 .path = "/shelves/7/",
                                 .headers = name_,
                                 .body = R"({"title": "burnt"})"});
  EXPECT_EQ(response.status, 404U);
  EXPECT_EQ(response.route, "/shelves/{shelf_id}/");
}

TEST_F(RouterTest, GivesAHandlerWhatItAsksForInAnyOrder) {
  const Response response = Ask({.method = Method::kPatch,
                                 .path = "/shelves/7/",
                                 .headers = name_,
                                 .body = R"({"title": "Emma"})",
                                 .id = "r1"});
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, R"({"data":{"id":7,"title":"Emma for Ada as r1"}})");
}

TEST_F(RouterTest, LeavesABodyToAHandlerThatParsesItItself) {
  const auto answer = [&](std::string_view body) {
    return Ask({.method = Method::kPut, .path = "/shelves/7/", .headers = name_, .body = body});
  };
  EXPECT_EQ(answer(R"({"title": "Emma"})").body, R"({"data":{"id":7,"title":"unparsed Emma"}})");
  EXPECT_EQ(answer("{}").status, 422U);
}

TEST_F(RouterTest, ReadsTheInputOfAGetFromItsQuery) {
  const Response response = Ask({.path = "/books/", .query = "title=a%26b&x=1", .body = "ignored"});
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, R"({"data":[{"id":1,"title":"a&b"}],"next":5})");
  EXPECT_EQ(Ask({.path = "/books/", .query = "title=%ff"}).status, 422U);
}

TEST_F(RouterTest, AnswersHeadLikeGet) {
  const Response response = Ask({.method = Method::kHead, .path = "/books/"});
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, Ask({.path = "/books/"}).body);
}

TEST_F(RouterTest, AnswersNothingWith204) {
  const Response response = Ask({.method = Method::kDelete, .path = "/books/"});
  EXPECT_EQ(response.status, 204U);
  EXPECT_EQ(response.body, "");
}

TEST_F(RouterTest, AnswersAnEmptyObject) {
  const Response response = Ask({.method = Method::kPost, .path = "/books/"});
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, "{}");
}

TEST_F(RouterTest, ATagBecomesAnETag) {
  const auto ask = [&](Method method, std::vector<HeaderField> headers) {
    return Ask({.method = method, .path = "/shop/7/", .headers = headers});
  };
  for (const Method method : {Method::kGet, Method::kHead}) {
    const Response whole = ask(method, {});
    EXPECT_EQ(whole.status, 200U);
    EXPECT_THAT(whole.headers, ElementsAre(Pair("ETag", R"("4-emma")")));
    EXPECT_EQ(whole.body, R"({"data":{"id":7,"title":"Emma"}})");
    const Response known = ask(method, {{"If-None-Match", R"("x", "4-emma")"}});
    EXPECT_EQ(known.status, 304U);
    EXPECT_THAT(known.headers, ElementsAre(Pair("ETag", R"("4-emma")")));
    EXPECT_EQ(known.body, "");
    EXPECT_EQ(ask(method, {{"If-None-Match", R"("3-emma")"}}).status, 200U);
  }
  const Response created = ask(Method::kPut, {{"If-None-Match", R"("5-emma")"}});
  EXPECT_EQ(created.status, 201U);
  EXPECT_THAT(created.headers, ElementsAre(Pair("ETag", R"("5-emma")")));
}

TEST_F(RouterTest, ACacheableAnswerHasATagOfItsBody) {
  const auto ask = [&](std::string_view path, std::vector<HeaderField> headers) {
    return Ask({.method = Method::kGet, .path = path, .headers = headers});
  };
  const Response whole = ask("/shop/7/window/", {});
  EXPECT_EQ(whole.status, 200U);
  EXPECT_EQ(whole.body, R"({"data":{"id":7,"title":"Emma"}})");
  ASSERT_EQ(whole.headers.size(), 2U);
  const auto& [name, tag] = whole.headers[0];
  EXPECT_EQ(name, "ETag");
  EXPECT_EQ(tag, TagOfBody(whole.body));
  EXPECT_THAT(whole.headers[1], Pair("Cache-Control", "public, max-age=60"));

  const Response known = ask("/shop/7/window/", {{"If-None-Match", tag}});
  EXPECT_EQ(known.status, 304U);
  EXPECT_EQ(known.headers, whole.headers);
  EXPECT_EQ(known.body, "");
  EXPECT_EQ(ask("/shop/8/window/", {{"If-None-Match", tag}}).status, 200U);
}

TEST_F(RouterTest, GivesAHandlerTheCondition) {
  const auto ask = [&](Method method, std::vector<HeaderField> headers) {
    return Ask({.method = method, .path = "/shop/7/", .headers = headers}).status;
  };
  EXPECT_EQ(ask(Method::kPut, {}), 201U);
  EXPECT_EQ(ask(Method::kPut, {{"If-Match", R"("a", "b")"}}), 201U);
  EXPECT_EQ(ask(Method::kPost, {}), 428U);
  EXPECT_EQ(ask(Method::kPost, {{"If-Match", R"("new")"}}), 201U);
  EXPECT_EQ(ask(Method::kPost, {{"If-Match", R"("old")"}}), 200U);
  EXPECT_THAT(app_.steps, ElementsAre("any", "if 2", R"("new")", R"("old")"));
}

TEST_F(RouterTest, LeavesNextOutIfAPageSaysSo) {
  EXPECT_EQ(Ask({.path = "/books/", .query = "title=old"}).body,
            R"({"data":[{"id":1,"title":"old"}]})");
}

TEST_F(RouterTest, RefusesAQueryStringWhereABodyIsRead) {
  for (const Method method : {Method::kPost, Method::kPatch, Method::kPut}) {
    const Request request{.method = method,
                          .path = "/shelves/7/",
                          .query = "title=Emma",
                          .headers = name_,
                          .body = R"({"title": "Emma"})"};
    const Response response = Ask(request);
    EXPECT_EQ(response.status, 400U);
    EXPECT_THAT(response.body, HasSubstr("400: Input belongs in a JSON body"));
  }
  EXPECT_THAT(app_.steps, testing::Each(testing::StartsWith("access")));
  // This endpoint reads no body, so a query string cannot be mistaken for one.
  EXPECT_EQ(Ask({.method = Method::kDelete, .path = "/books/", .query = "x=1"}).status, 204U);
}

TEST_F(RouterTest, KeepsTheDetailsOfAnExceptionToItself) {
  for (const Request& request :
       {Request{.method = Method::kPut, .path = "/books/"}, {.path = "/raw", .query = "break"}}) {
    const Response response = Ask(request);
    EXPECT_EQ(response.status, 500U);
    EXPECT_EQ(response.body, ToResponse(Error::Internal()).body);
    EXPECT_EQ(response.route, request.path);
  }
}

TEST_F(RouterTest, TellsWhyThereIsNoRoute) {
  const Response unknown = Ask({.path = "/shelves/x/"});
  EXPECT_EQ(unknown.status, 404U);
  EXPECT_EQ(unknown.route, "");
  EXPECT_THAT(unknown.headers, IsEmpty());

  const Response other_method = Ask({.method = Method::kGet, .path = "/shelves/7/"});
  EXPECT_EQ(other_method.status, 405U);
  EXPECT_THAT(other_method.body, HasSubstr("405: Method Not Allowed"));
  EXPECT_THAT(other_method.headers, ElementsAre(Pair("Allow", "POST, PUT, PATCH, OPTIONS")));

  EXPECT_EQ(Ask({.method = Method::kOptions, .path = "/nothing"}).status, 404U);
  EXPECT_THAT(app_.steps, IsEmpty());
}

TEST_F(RouterTest, AnswersOptions) {
  const Response response = Ask({.method = Method::kOptions, .path = "/books/"});
  EXPECT_EQ(response.status, 204U);
  EXPECT_EQ(response.body, "");
  EXPECT_THAT(response.headers,
              ElementsAre(Pair("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS")));
}

TEST_F(RouterTest, LetsRawRoutesAnswerAsTheyLike) {
  const Response response = Ask({.path = "/raw"});
  EXPECT_EQ(response.status, 418U);
  EXPECT_EQ(response.body, "tea");
  EXPECT_EQ(response.content_type, "text/plain");
  EXPECT_EQ(response.route, "/raw");
}

TEST_F(RouterTest, DescribesWhatItRoutes) {
  const std::vector<Route>& routes = routes_.table().routes();
  ASSERT_EQ(routes.size(), 13U);
  EXPECT_EQ(routes[0].pattern, "/shelves/{shelf_id}/");
  EXPECT_EQ(routes[0].tag, "shelves");
  EXPECT_EQ(routes[0].operation.id, "addBook");
  EXPECT_EQ(routes[0].successes, (std::vector{201U}));
  EXPECT_TRUE(routes[0].access.needs_token);
  EXPECT_TRUE(routes[0].body);
  EXPECT_EQ(routes[2].body, routes[0].body);
  EXPECT_FALSE(routes[4].body);
  ASSERT_EQ(routes[4].query_parameters.size(), 1U);
  EXPECT_EQ(routes[4].query_parameters[0].at("name").as_string(), "title");
  EXPECT_FALSE(routes[5].answer);
  EXPECT_TRUE(routes[6].is_documented);
  EXPECT_EQ(routes[7].answer->at("type").as_string(), "object");
  EXPECT_TRUE(routes[8].is_tagged);
  EXPECT_EQ(routes[8].if_match, Route::Condition::kNone);
  EXPECT_TRUE(routes[9].is_tagged);
  EXPECT_EQ(routes[9].if_match, Route::Condition::kOptional);
  EXPECT_EQ(routes[10].if_match, Route::Condition::kRequired);
  EXPECT_EQ(routes[10].successes, (std::vector{201U, 200U}));
  EXPECT_TRUE(routes[11].is_tagged);
  EXPECT_FALSE(routes[12].is_documented);
}

}  // namespace
}  // namespace platform::http
