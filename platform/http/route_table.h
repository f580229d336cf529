#pragma once

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/http/message.h"
#include "platform/schema/describe.h"

namespace platform::http {

// A group of endpoints, as the documentation shows it.
struct Tag {
  std::string_view name;
  std::string_view description;
};

// The part of an endpoint's documentation that is not derived from its code.
struct Operation {
  std::string_view id;  // For client generators: "createCartItem".
  std::string_view summary;
  std::string_view description;
  // Errors that its own handler can return, beside the ones that follow from authentication,
  // permission, body and path.
  std::vector<ErrorCode> errors = {};
};

// Who may call an endpoint, as far as the documentation is concerned.
struct AccessDescription {
  bool needs_token = false;
  std::vector<ErrorCode> errors = {};
};

// One endpoint, without its code.
struct Route {
  Method method = Method::kGet;
  std::string pattern;   // "/api/v1/users/{user_id}/"; see PathIds.
  std::string_view tag;  // Its group's name.
  Operation operation;
  AccessDescription access;
  std::optional<boost::json::object> body;  // Schema of the request's body.
  boost::json::array query_parameters;      // Parameter objects.
  enum class Condition { kNone, kOptional, kRequired };
  Condition if_match = Condition::kNone;
  // The statuses of success. All have the same answer.
  std::vector<unsigned> successes = {200};
  bool is_tagged = false;                     // Whether the answer has an ETag.
  std::optional<boost::json::object> answer;  // Schema of the answer; none for 204.
  bool is_documented = true;
};

// The numbers that a path has in place of its pattern's `{parameters}`, in order. A pattern has at
// most this many.
using PathIds = std::array<std::int32_t, 2>;

// Returns the names of a pattern's parameters, such as "user_id".
std::vector<std::string_view> ParameterNames(std::string_view pattern);

// The route that a request matches.
struct Match {
  enum class Kind {
    kFound,
    kUnknownPath,
    kOtherMethod,  // The path is known, but not with this method; see `allow`.
  };
  Kind kind = Kind::kUnknownPath;
  std::size_t route = 0;  // An index, if found.
  PathIds ids{};          // The values of the path's parameters.
  std::string allow;      // An Allow header (RFC 9110 section 10.2.1), unless kUnknownPath.
};

// The endpoints of a service. A `{parameter}` matches digits only, up to the largest int32.
class RouteTable {
 public:
  void Add(Route route) { routes_.push_back(std::move(route)); }
  const std::vector<Route>& routes() const { return routes_; }
  void AddTag(const Tag& tag) { tags_.push_back(tag); }
  const std::vector<Tag>& tags() const { return tags_; }
  schema::Components& components() { return components_; }
  const schema::Components& components() const { return components_; }

  // HEAD matches the GET route. OPTIONS never matches; answer it from `allow`.
  Match Find(Method method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
  std::vector<Tag> tags_;
  schema::Components components_;
};

}  // namespace platform::http
