#include "platform/http/route_table.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace platform::http {
namespace {

// Returns whether `path` matches `pattern`. If so, `ids` holds the numbers in it.
bool Matches(std::string_view pattern, std::string_view path, PathIds& ids) {
  for (std::size_t n = 0;; ++n) {
    const std::size_t open = pattern.find('{');
    if (open == std::string_view::npos) return pattern == path;
    if (!path.starts_with(pattern.substr(0, open))) return false;
    path.remove_prefix(open);
    if (path.starts_with('-')) return false;
    const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), ids.at(n));
    if (error != std::errc()) return false;
    path.remove_prefix(static_cast<std::size_t>(end - path.data()));
    pattern.remove_prefix(pattern.find('}') + 1);
  }
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

std::vector<std::string_view> ParameterNames(std::string_view pattern) {
  std::vector<std::string_view> names;
  for (std::size_t open = 0; (open = pattern.find('{', open)) != std::string_view::npos; ++open) {
    names.push_back(pattern.substr(open + 1, pattern.find('}', open) - open - 1));
  }
  return names;
}

Match RouteTable::Find(Method method, std::string_view path) const {
  const Method wanted = method == Method::kHead ? Method::kGet : method;
  Match match;
  std::vector<Method> methods;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (!Matches(routes_[i].pattern, path, match.ids)) continue;
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
