#pragma once

#include <array>
#include <boost/mp11/algorithm.hpp>
#include <boost/mp11/list.hpp>
#include <chrono>
#include <concepts>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/tagged.h"
#include "platform/base/task.h"
#include "platform/http/condition.h"
#include "platform/http/message.h"
#include "platform/http/route_table.h"
#include "platform/schema/describe.h"
#include "platform/schema/paging.h"
#include "platform/schema/parse.h"
#include "platform/schema/write.h"

namespace platform::http {

// The results of handlers. A plain T becomes 200 and {"data": T}; a schema::Page becomes 200 and
// {"data": [T…], "next": …}; void becomes 204. A Tagged<T> is a T whose tag becomes the ETag; a GET
// that answers one is a 304 if the client has that state already (If-None-Match). A Cacheable<T> is
// a T with an ETag of its own.
template <class T>
struct Created {  // 201 and {"data": T}.
  T value;
};
template <class T>
struct CreatedOrFound {  // 201 or 200, and {"data": T}.
  T value;
  bool is_created = true;
};
struct EmptyObject {};  // 200 and {}.

// The answer to a GET that depends on the URL alone, so clients and shared caches may keep it for
// the lifetime before they ask whether it has changed (RFC 9111). With 0, they always ask. The
// router makes the ETag from the body.
template <class T>
struct Cacheable {
  T value;
  std::chrono::seconds lifetime{0};
};

// Input of a handler that parses the body itself, because the required members depend on the
// caller. The documentation describes a T. See schema::Parse.
template <class T>
struct Unparsed {
  std::string_view body;
};

// An access rule is an object that decides who may call an endpoint, before its body is parsed:
//
//   struct SelfOrAdmin {
//     using Grant = Subject;  // A handler may take it as a parameter.
//     static AccessDescription Describe();
//     Task<Result<Grant>> operator()(App& app, const Request& request, UserId id) const;
//   };
//
// It authenticates the caller, finds the object and checks permission, in this order. It may take
// the app, the request and the path's ids as parameters, by type like a handler. Its call operator
// is neither overloaded nor a template.

// Permits every request.
struct Anyone {
  struct Grant {};
  static AccessDescription Describe() { return {}; }
  Task<Result<Grant>> operator()() const { co_return Grant(); }
};

template <class App>
class RouteGroup;

// The routes of a service whose handlers work on an `App`. Built once, then shared by all threads.
template <class App>
class Router {
 public:
  // Starts a group of documented endpoints whose paths all begin with `prefix`. The texts must
  // outlive the router, and the router must outlive the group.
  RouteGroup<App> Group(std::string_view prefix, const Tag& tag);

  // Adds an endpoint outside of the documented API. Anybody may call it, and its handler makes the
  // whole response.
  using RawHandler = std::function<Task<Response>(App&, const Request&)>;
  void AddRaw(Method method, std::string_view pattern, RawHandler handler);

  // Answers any request, by its route or with an error. An exception is logged with the request's
  // id and answered with 500.
  Task<Response> Dispatch(App& app, const Request& request) const;

  const RouteTable& table() const { return table_; }

 private:
  friend class RouteGroup<App>;

  using Endpoint = std::function<Task<Response>(App&, const Request&, const PathIds&)>;

  RouteTable table_;
  std::vector<Endpoint> endpoints_;
};

// Endpoints with a common prefix and tag: one line for each. A handler is
//
//   Task<Result<Answer>> CreateItem(App& app, CartId cart, NewItem item);
//
// Each argument is chosen by its type: the app, the access rule's grant, the path's ids (each a
// ValueType of an int32), the request itself, its IfMatch or RequiredIfMatch, or one described
// struct. The struct is parsed from the body of a POST, PUT or PATCH, and otherwise from the query
// string. The ids of the access rule come first in the path, followed by the ids that only the
// handler takes. No two ids have the same type. An endpoint that reads a body rejects a query
// string, because its client expects it to be read.
template <class App>
class RouteGroup {
 public:
  // `path` follows the group's prefix. Throws std::invalid_argument if the number of its parameters
  // differs from the number of ids that the access rule and the handler take.
  template <class Access, class Answer, class... Args>
  void Add(Method method, std::string_view path, Access access,
           Task<Result<Answer>> (*handler)(Args...), const Operation& operation);

 private:
  friend class Router<App>;
  RouteGroup(Router<App>& router, std::string_view prefix, std::string_view tag)
      : router_(router), prefix_(prefix), tag_(tag) {}

  Router<App>& router_;
  std::string_view prefix_;
  std::string_view tag_;
};

// Logs the current exception with the request's id and returns the answer for it.
Response AnswerToException(const Request& request);
// Returns 404, 405 or the answer to OPTIONS.
Response AnswerToMismatch(const Request& request, const Match& match);
// Returns the 400 of an endpoint that reads a body, for a request with a query string.
Response AnswerToQuery();
// Returns the parameter objects of a query struct.
boost::json::array DescribeQuery(const boost::json::object& query_schema);

namespace detail {

// Stands for an input or grant that is not used.
struct None {};

template <class T>
inline constexpr bool kIsUnparsed = false;
template <class T>
inline constexpr bool kIsUnparsed<Unparsed<T>> = true;

template <class App, class Grant, class Arg>
inline constexpr bool kIsInput =
    kIsUnparsed<Arg> || (schema::IsObject<Arg> && !std::same_as<Arg, App> &&
                         !std::same_as<Arg, Grant> && !std::same_as<Arg, Request>);

// The described struct among a handler's parameters.
template <class App, class Grant, class... Args>
struct InputOf {
  using type = None;
};
template <class App, class Grant, class First, class... Rest>
struct InputOf<App, Grant, First, Rest...>
    : std::conditional_t<kIsInput<App, Grant, std::decay_t<First>>,
                         std::type_identity<std::decay_t<First>>, InputOf<App, Grant, Rest...>> {};

template <class Arg>
using IsId = std::bool_constant<schema::IsValueType<Arg>>;

// The ids that an access rule and a handler with these parameters take, in the path's order.
template <class... Args>
using IdsOf = boost::mp11::mp_unique<
    boost::mp11::mp_copy_if<boost::mp11::mp_list<std::decay_t<Args>...>, IsId>>;

template <class Arg, class Ids, class App, class Grant, class Input>
decltype(auto) Pick(App& app, const Request& request, const PathIds& ids, Grant& grant,
                    Input& input) {
  using Type = std::decay_t<Arg>;
  if constexpr (std::same_as<Type, App>) {
    return (app);
  } else if constexpr (std::same_as<Type, Request>) {
    return (request);
  } else if constexpr (std::same_as<Type, IfMatch>) {
    return IfMatch{ReadIfMatch(request)};
  } else if constexpr (std::same_as<Type, RequiredIfMatch>) {
    return RequiredIfMatch{ReadIfMatch(request).value()};
  } else if constexpr (std::same_as<Type, Grant>) {
    return (grant);
  } else if constexpr (std::same_as<Type, Input>) {
    return std::move(input);
  } else {
    static_assert(schema::IsValueType<Type>, "a handler cannot ask for this");
    // The router has checked that the path holds a number there.
    return Type::Unchecked(ids.at(boost::mp11::mp_find<Ids, Type>::value));
  }
}

// Calls an access rule; its parameters follow from the type of its operator.
template <class Rule, class Operator = decltype(&Rule::operator())>
struct RuleCall;
template <class Rule, class Grant, class... Args>
struct RuleCall<Rule, Task<Result<Grant>> (Rule::*)(Args...) const> {
  using Ids = IdsOf<Args...>;
  template <class App>
  static Task<Result<Grant>> Run(const Rule& rule, App& app, const Request& request,
                                 const PathIds& ids) {
    None none;
    return rule(Pick<Args, Ids>(app, request, ids, none, none)...);
  }
};

template <class... Args>
constexpr Route::Condition ConditionOf() {
  if ((std::same_as<std::decay_t<Args>, RequiredIfMatch> || ...))
    return Route::Condition::kRequired;
  if ((std::same_as<std::decay_t<Args>, IfMatch> || ...)) return Route::Condition::kOptional;
  return Route::Condition::kNone;
}

template <class T>
struct DescribedInput : std::type_identity<T> {};
template <class T>
struct DescribedInput<Unparsed<T>> : std::type_identity<T> {};

inline schema::Source SourceOf(Method method) {
  return method == Method::kPost || method == Method::kPut || method == Method::kPatch
             ? schema::Source::kBody
             : schema::Source::kQuery;
}

// The form of an answer on the wire and in the documentation. Write sets the response's body, and
// its status if that is not the first of kStatuses.
template <class T>
struct Rendering {
  static constexpr std::array kStatuses{200U};
  static void Write(const T& value, Response& response) {
    response.body = R"({"data":)";
    schema::Write(value, response.body);
    response.body += '}';
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
struct Rendering<Tagged<T>> : Rendering<T> {
  static constexpr bool kIsTagged = true;
  static void Write(const Tagged<T>& tagged, Response& response) {
    Rendering<T>::Write(tagged.value, response);
    response.headers.emplace_back("ETag", tagged.tag);
  }
};

template <class T>
struct Rendering<Cacheable<T>> : Rendering<T> {
  static constexpr bool kIsTagged = true;
  static void Write(const Cacheable<T>& cacheable, Response& response) {
    Rendering<T>::Write(cacheable.value, response);
    response.headers = {{"ETag", TagOfBody(response.body)},
                        {"Cache-Control", CacheControl(cacheable.lifetime)}};
  }
};

template <class T>
struct Rendering<Created<T>> : Rendering<T> {
  static constexpr std::array kStatuses{201U};
  static void Write(const Created<T>& created, Response& response) {
    Rendering<T>::Write(created.value, response);
  }
};

template <class T>
struct Rendering<CreatedOrFound<T>> : Rendering<T> {
  static constexpr std::array kStatuses{201U, 200U};
  static void Write(const CreatedOrFound<T>& answer, Response& response) {
    Rendering<T>::Write(answer.value, response);
    if (!answer.is_created) response.status = 200;
  }
};

template <>
struct Rendering<void> {
  static constexpr std::array kStatuses{204U};
  static std::optional<boost::json::object> Describe(schema::Components&) { return std::nullopt; }
};

template <>
struct Rendering<EmptyObject> {
  static constexpr std::array kStatuses{200U};
  static void Write(EmptyObject, Response& response) { response.body = "{}"; }
  static std::optional<boost::json::object> Describe(schema::Components&) {
    return boost::json::object{
        {"type", "object"}, {"properties", boost::json::object()}, {"additionalProperties", false}};
  }
};

template <class T, class Next>
struct Rendering<schema::Page<T, Next>> {
  static constexpr std::array kStatuses{200U};
  static void Write(const schema::Page<T, Next>& page, Response& response) {
    std::string& out = response.body;
    out = R"({"data":)";
    schema::Write(page.items, out);
    if (page.shows_next) {
      out += R"(,"next":)";
      schema::Write(page.next, out);
    }
    out += '}';
  }
  static std::optional<boost::json::object> Describe(schema::Components& components) {
    boost::json::object envelope =
        Rendering<T>::Envelope(schema::Describe<std::vector<T>>(components));
    boost::json::object next = schema::Describe<Next>(components);
    schema::AllowNull(next);
    next["description"] =
        "The `after` of the next page; null on the last page. Left out with LEGACY_API=true.";
    envelope["properties"].as_object()["next"] = std::move(next);
    envelope["required"].as_array().emplace_back("next");
    return envelope;
  }
};

template <class Answer>
inline constexpr bool kIsTagged = requires { Rendering<Answer>::kIsTagged; };

}  // namespace detail

template <class App>
RouteGroup<App> Router<App>::Group(std::string_view prefix, const Tag& tag) {
  table_.AddTag(tag);
  return RouteGroup<App>(*this, prefix, tag.name);
}

template <class App>
template <class Access, class Answer, class... Args>
void RouteGroup<App>::Add(Method method, std::string_view path, Access access,
                          Task<Result<Answer>> (*handler)(Args...), const Operation& operation) {
  using Grant = Access::Grant;
  using Rule = detail::RuleCall<Access>;
  using Input = detail::InputOf<App, Grant, Args...>::type;
  using Form = detail::Rendering<Answer>;
  constexpr bool kHasInput = !std::same_as<Input, detail::None>;
  using Ids =
      boost::mp11::mp_unique<boost::mp11::mp_append<typename Rule::Ids, detail::IdsOf<Args...>>>;
  static_assert(boost::mp11::mp_size<Ids>::value <= std::tuple_size_v<PathIds>);

  RouteTable& table = router_.table_;
  Route route{.method = method,
              .pattern = std::string(prefix_).append(path),
              .tag = tag_,
              .operation = operation,
              .access = Access::Describe(),
              .if_match = detail::ConditionOf<Args...>(),
              .successes = {Form::kStatuses.begin(), Form::kStatuses.end()},
              .is_tagged = detail::kIsTagged<Answer>,
              .answer = Form::Describe(table.components())};
  if (ParameterNames(route.pattern).size() != boost::mp11::mp_size<Ids>::value) {
    throw std::invalid_argument("the ids of " + route.pattern + " are not those asked for");
  }
  if constexpr (kHasInput) {
    using Described = detail::DescribedInput<Input>::type;
    if (detail::SourceOf(method) == schema::Source::kBody) {
      route.body = schema::Describe<Described>(table.components());
    } else {
      schema::Components scratch;
      schema::Describe<Described>(scratch);
      route.query_parameters = DescribeQuery(scratch.begin()->value().as_object());
    }
  }
  table.Add(std::move(route));

  router_.endpoints_.push_back(
      [=](App& app, const Request& request, const PathIds& ids) -> Task<Response> {
        Result<Grant> grant = co_await Rule::Run(access, app, request, ids);
        if (!grant) co_return ToResponse(grant.error());
        if constexpr (detail::ConditionOf<Args...>() == Route::Condition::kRequired) {
          if (!request.Header("If-Match")) {
            co_return ToResponse(ErrorStatus::kPreconditionRequired);
          }
        }
        if constexpr (kHasInput) {
          if (detail::SourceOf(method) == schema::Source::kBody && !request.query.empty()) {
            co_return AnswerToQuery();
          }
        }
        Input input;
        if constexpr (detail::kIsUnparsed<Input>) {
          input.body = request.body;
        } else if constexpr (kHasInput) {
          const schema::Source source = detail::SourceOf(method);
          Result<Input> parsed = schema::Parse<Input>(
              source == schema::Source::kBody ? request.body : request.query, source);
          if (!parsed) co_return ToResponse(parsed.error());
          input = *std::move(parsed);
        }
        const Result<Answer> answer =
            co_await handler(detail::Pick<Args, Ids>(app, request, ids, *grant, input)...);
        if (!answer) co_return ToResponse(answer.error());
        Response response{.status = Form::kStatuses.front()};
        if constexpr (!std::is_void_v<Answer>) Form::Write(*answer, response);
        if constexpr (detail::kIsTagged<Answer>) {
          if (method == Method::kGet) LeaveOutKnownBody(request, response);
        }
        co_return response;
      });
}

template <class App>
void Router<App>::AddRaw(Method method, std::string_view pattern, RawHandler handler) {
  table_.Add({.method = method, .pattern = std::string(pattern), .is_documented = false});
  endpoints_.push_back(
      [handler = std::move(handler)](App& app, const Request& request, const PathIds&) {
        return handler(app, request);
      });
}

template <class App>
Task<Response> Router<App>::Dispatch(App& app, const Request& request) const {
  const Match match = table_.Find(request.method, request.path);
  if (match.kind != Match::Kind::kFound) co_return AnswerToMismatch(request, match);
  Response response;
  try {
    response = co_await endpoints_[match.route](app, request, match.ids);
  } catch (const std::exception&) {
    response = AnswerToException(request);
  }
  response.route = table_.routes()[match.route].pattern;
  response.route_index = match.route;
  co_return response;
}

}  // namespace platform::http
