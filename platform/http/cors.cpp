#include "platform/http/cors.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <cstdint>
#include <ranges>

namespace platform::http {
namespace {

// Headers that a page may send and read beyond the ones that the standard always allows.
constexpr std::string_view kRequestHeaders =
    "Authorization, Content-Type, If-Match, If-None-Match, X-Request-ID, traceparent";
constexpr std::string_view kResponseHeaders = "ETag, Retry-After, WWW-Authenticate, X-Request-ID";
// Seconds that a browser may cache the answer to a preflight: Chromium's maximum.
constexpr std::string_view kMaxAge = "7200";

bool IsPort(std::string_view digits) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() && !digits.starts_with('0');
}

bool IsDefaultPort(std::string_view scheme, std::string_view port) {
  return port == (scheme == "https" ? "443" : "80");
}

// Returns whether the text is an origin exactly as a browser writes it, because origins are
// compared as texts: scheme and host in lower case, no default port, nothing after the port.
bool IsOrigin(const std::string& text) {
  const auto url = boost::urls::parse_uri(text);
  if (!url) return false;
  const std::string_view scheme(url->scheme().data(), url->scheme().size());
  const std::string host(url->encoded_host().data(), url->encoded_host().size());
  const std::string port = url->port();
  if ((scheme != "https" && scheme != "http") || host.empty()) return false;
  const bool has_plain_host = std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view(".-_[]:").contains(c);
  });
  const bool has_good_port = port.empty() || (IsPort(port) && !IsDefaultPort(scheme, port));
  if (!has_plain_host || !has_good_port) return false;
  return text == std::string(scheme) + "://" + host + (port.empty() ? "" : ":" + port);
}

}  // namespace

std::expected<CorsPolicy, std::string> CorsPolicy::Parse(std::string_view origins) {
  static constexpr std::string_view kSeparators = ", \t\r\n";
  CorsPolicy policy;
  while (true) {
    origins.remove_prefix(std::min(origins.find_first_not_of(kSeparators), origins.size()));
    if (origins.empty()) return policy;
    std::string origin(origins.substr(0, origins.find_first_of(kSeparators)));
    origins.remove_prefix(origin.size());
    if (!IsOrigin(origin)) return std::unexpected(std::move(origin));
    policy.origins_.push_back(std::move(origin));
  }
}

void CorsPolicy::AddHeaders(Method method, std::span<const HeaderField> headers,
                            Response& response) const {
  if (origins_.empty()) return;
  // Sent even without an Origin, because a cache must not serve this answer to a page that sends
  // one.
  response.headers.emplace_back("Vary", "Origin");
  const Request request{.headers = headers};
  const auto origin = request.Header("Origin");
  if (!origin || std::ranges::find(origins_, *origin) == origins_.end()) return;
  response.headers.emplace_back("Access-Control-Allow-Origin", *origin);

  const auto allow =
      std::ranges::find(response.headers, "Allow", &decltype(response.headers)::value_type::first);
  const bool is_preflight = method == Method::kOptions && allow != response.headers.end() &&
                            request.Header("Access-Control-Request-Method");
  if (is_preflight) {
    std::string methods = allow->second;
    response.headers.emplace_back("Access-Control-Allow-Methods", std::move(methods));
    response.headers.emplace_back("Access-Control-Allow-Headers", kRequestHeaders);
    response.headers.emplace_back("Access-Control-Max-Age", kMaxAge);
  } else {
    response.headers.emplace_back("Access-Control-Expose-Headers", kResponseHeaders);
  }
}

}  // namespace platform::http
