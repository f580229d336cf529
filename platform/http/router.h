#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "platform/http/message.h"
#include "platform/http/route_table.h"
#include "platform/result/result.h"
#include "platform/runtime/task.h"
#include "platform/schema/describe.h"
#include "platform/schema/parse.h"
#include "platform/schema/write.h"

namespace platform::http {

// What a handler answers. A plain T becomes 200 and {"data": T}.
template <class T>
struct Created {  // 201 and {"data": T}.
  T value;
};
struct NoContent {};  // 204.
template <class T>
struct Page {  // 200 and {"data": [T…], "next": …}; `next` is the id to ask for with `after`.
  std::vector<T> items;
  std::optional<std::int32_t> next;
};

// An access rule is an object that decides who may call an endpoint, before its body is looked at:
//
//   struct SelfOrAdmin {
//     using Grant = Caller;                          // What the handler may ask for.
//     static AccessDescription Describe();
//     Task<Result<Grant>> operator()(App&, const Request&, std::int32_t path_parameter) const;
//   };
//
// Authentication, the object's existence and permission are its business, in this order.

// Lets everybody in.
struct Anyone {
  struct Grant {};
  static AccessDescription Describe() { return {}; }
  template <class App>
  Task<Result<Grant>> operator()(App&, const Request&, std::int32_t) const {
    co_return Grant();
  }
};

// The routes of a service whose handlers work on an `App`: one line for each endpoint. A handler is
//
//   Task<Result<Answer>> CreateItem(App& app, CartId cart, NewItem item);
//
// and gets by type what it asks for: the app, the access rule's grant, the path's parameter (any
// ValueType of an int32), the request itself, and one described struct, which is read from the body
// of a POST, PUT or PATCH and from the query string otherwise. Where an optional member of it is
// required of some callers only, the struct says so in
//
//   static schema::RequiredMembers RequiredFor(const App& app, const Grant& grant);
//
// Built once, then shared by all threads.
template <class App>
class Router {
 public:
  template <class Access, class Answer, class... Args>
  void Add(Method method, std::string_view pattern, Access access,
           Task<Result<Answer>> (*handler)(Args...), const Operation& operation);

  // An endpoint outside of the documented API, which anybody may call and which answers as it
  // likes.
  using RawHandler = std::function<Task<Response>(App&, const Request&)>;
  void AddRaw(Method method, std::string_view pattern, RawHandler handler);

  // Answers any request: routes it, or says why not. An exception is logged with the request's id
  // and answered 500.
  Task<Response> Dispatch(App& app, const Request& request) const;

  const RouteTable& table() const { return table_; }

 private:
  using Endpoint = std::function<Task<Response>(App&, const Request&, std::int32_t)>;

  RouteTable table_;
  std::vector<Endpoint> endpoints_;
};

// Logs the exception in flight with the request's id and gives the answer for it.
Response AnswerToException(const Request& request);
// 404, 405 or the answer to OPTIONS.
Response AnswerToMismatch(const Request& request, const Match& match);
// The parameter objects of a query struct.
boost::json::array DescribeQuery(const boost::json::object& query_schema);

namespace detail {

struct NoInput {};

template <class App, class Grant, class Arg>
inline constexpr bool kIsInput = schema::IsObject<Arg> && !std::same_as<Arg, App> &&
                                 !std::same_as<Arg, Grant> && !std::same_as<Arg, Request>;

// The described struct among a handler's parameters.
template <class App, class Grant, class... Args>
struct InputOf {
  using type = NoInput;
};
template <class App, class Grant, class First, class... Rest>
struct InputOf<App, Grant, First, Rest...>
    : std::conditional_t<kIsInput<App, Grant, std::decay_t<First>>,
                         std::type_identity<std::decay_t<First>>, InputOf<App, Grant, Rest...>> {};

template <class Arg, class App, class Grant, class Input>
decltype(auto) Pick(App& app, const Request& request, std::int32_t parameter, Grant& grant,
                    Input& input) {
  using Type = std::decay_t<Arg>;
  if constexpr (std::same_as<Type, App>) {
    return (app);
  } else if constexpr (std::same_as<Type, Request>) {
    return (request);
  } else if constexpr (std::same_as<Type, Grant>) {
    return (grant);
  } else if constexpr (std::same_as<Type, Input>) {
    return std::move(input);
  } else {
    static_assert(schema::IsValueType<Type>, "a handler cannot ask for this");
    return Type::FromPostgres(parameter);
  }
}

inline schema::Source SourceOf(Method method) {
  return method == Method::kPost || method == Method::kPut || method == Method::kPatch
             ? schema::Source::kBody
             : schema::Source::kQuery;
}

// How an answer looks on the wire and in the documentation.
template <class T>
struct Rendering {
  static constexpr unsigned kStatus = 200;
  static void Write(const T& value, std::string& out) {
    out = R"({"data":)";
    schema::Write(value, out);
    out += '}';
  }
  static std::optional<boost::json::object> Describe(schema::Components& components) {
    return Envelope(schema::Describe<T>(components));
  }
  static boost::json::object Envelope(boost::json::object data) {
    return {{"type", "object"},
            {"properties", boost::json::object{{"data", std::move(data)}}},
            {"required", {"data"}},
            {"additionalProperties", false}};
  }
};

template <class T>
struct Rendering<Created<T>> {
  static constexpr unsigned kStatus = 201;
  static void Write(const Created<T>& created, std::string& out) {
    Rendering<T>::Write(created.value, out);
  }
  static std::optional<boost::json::object> Describe(schema::Components& components) {
    return Rendering<T>::Describe(components);
  }
};

template <>
struct Rendering<NoContent> {
  static constexpr unsigned kStatus = 204;
  static void Write(NoContent, std::string&) {}
  static std::optional<boost::json::object> Describe(schema::Components&) { return std::nullopt; }
};

template <class T>
struct Rendering<Page<T>> {
  static constexpr unsigned kStatus = 200;
  static void Write(const Page<T>& page, std::string& out) {
    out = R"({"data":)";
    schema::Write(page.items, out);
    out += R"(,"next":)";
    schema::Write(page.next, out);
    out += '}';
  }
  static std::optional<boost::json::object> Describe(schema::Components& components) {
    boost::json::object envelope =
        Rendering<T>::Envelope(schema::Describe<std::vector<T>>(components));
    envelope["properties"].as_object()["next"] = {
        {"type", {"integer", "null"}},
        {"format", "int32"},
        {"description", "Pass as `after` for the next page; null on the last one."}};
    envelope["required"].as_array().emplace_back("next");
    return envelope;
  }
};

}  // namespace detail

template <class App>
template <class Access, class Answer, class... Args>
void Router<App>::Add(Method method, std::string_view pattern, Access access,
                      Task<Result<Answer>> (*handler)(Args...), const Operation& operation) {
  using Grant = Access::Grant;
  using Input = detail::InputOf<App, Grant, Args...>::type;
  constexpr bool kHasInput = !std::same_as<Input, detail::NoInput>;

  Route route{.method = method,
              .pattern = pattern,
              .operation = operation,
              .access = Access::Describe(),
              .success = detail::Rendering<Answer>::kStatus,
              .answer = detail::Rendering<Answer>::Describe(table_.components())};
  if constexpr (kHasInput) {
    if (detail::SourceOf(method) == schema::Source::kBody) {
      route.body = schema::Describe<Input>(table_.components());
    } else {
      schema::Components scratch;
      schema::Describe<Input>(scratch);
      route.query_parameters = DescribeQuery(scratch.begin()->value().as_object());
    }
  }
  table_.Add(std::move(route));

  endpoints_.push_back(
      [=](App& app, const Request& request, std::int32_t parameter) -> Task<Response> {
        Result<Grant> grant = co_await access(app, request, parameter);
        if (!grant) co_return ToResponse(grant.error());
        Input input;
        if constexpr (kHasInput) {
          const schema::Source source = detail::SourceOf(method);
          schema::RequiredMembers required;
          if constexpr (requires { Input::RequiredFor(app, *grant); }) {
            required = Input::RequiredFor(app, *grant);
          }
          Result<Input> parsed = schema::Parse<Input>(
              source == schema::Source::kBody ? request.body : request.query, source, required);
          if (!parsed) co_return ToResponse(parsed.error());
          input = *std::move(parsed);
        }
        const Result<Answer> answer =
            co_await handler(detail::Pick<Args>(app, request, parameter, *grant, input)...);
        if (!answer) co_return ToResponse(answer.error());
        Response response{.status = detail::Rendering<Answer>::kStatus};
        detail::Rendering<Answer>::Write(*answer, response.body);
        co_return response;
      });
}

template <class App>
void Router<App>::AddRaw(Method method, std::string_view pattern, RawHandler handler) {
  table_.Add({.method = method, .pattern = pattern, .is_documented = false});
  endpoints_.push_back(
      [handler = std::move(handler)](App& app, const Request& request, std::int32_t) {
        return handler(app, request);
      });
}

template <class App>
Task<Response> Router<App>::Dispatch(App& app, const Request& request) const {
  const Match match = table_.Find(request.method, request.path);
  if (match.kind != Match::Kind::kFound) co_return AnswerToMismatch(request, match);
  Response response;
  try {
    response = co_await endpoints_[match.route](app, request, match.parameter);
  } catch (const std::exception&) {
    response = AnswerToException(request);
  }
  response.route = table_.routes()[match.route].pattern;
  response.route_index = match.route;
  co_return response;
}

}  // namespace platform::http
