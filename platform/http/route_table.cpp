#include "platform/http/route_table.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace platform::http {
namespace {

// Returns whether `path` matches `pattern`; sets `parameter` to the number in it.
bool Matches(std::string_view pattern, std::string_view path, std::int32_t& parameter) {
  const std::size_t open = pattern.find('{');
  if (open == std::string_view::npos) return pattern == path;
  const std::string_view prefix = pattern.substr(0, open);
  const std::string_view suffix = pattern.substr(pattern.find('}') + 1);
  if (path.size() <= prefix.size() + suffix.size() || !path.starts_with(prefix) ||
      !path.ends_with(suffix)) {
    return false;
  }
  const std::string_view digits =
      path.substr(prefix.size(), path.size() - prefix.size() - suffix.size());
  if (digits.front() == '-') return false;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), parameter);
  return error == std::errc() && end == digits.data() + digits.size();
}

std::string Allow(std::vector<Method> methods) {
  std::ranges::sort(methods);
  std::string allow;
  for (const Method method : methods) {
    allow += Name(method);
    allow += ", ";
    if (method == Method::kGet) allow += "HEAD, ";
  }
  return allow + "OPTIONS";
}

}  // namespace

Match RouteTable::Find(Method method, std::string_view path) const {
  const Method wanted = method == Method::kHead ? Method::kGet : method;
  Match match;
  std::vector<Method> methods;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (!Matches(routes_[i].pattern, path, match.parameter)) continue;
    if (routes_[i].method == wanted) {
      match.kind = Match::Kind::kFound;
      match.route = i;
      return match;
    }
    methods.push_back(routes_[i].method);
  }
  if (!methods.empty()) {
    match.kind = Match::Kind::kOtherMethod;
    match.allow = Allow(std::move(methods));
  }
  return match;
}

}  // namespace platform::http
