#include "platform/service/static_file.h"

#include <boost/beast/core/string.hpp>
#include <ranges>

#include "platform/http/condition.h"

namespace platform::service {
namespace {

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Splits a list header (RFC 9110 section 5.6.1) whose elements contain no quoted commas.
auto Elements(std::string_view list) {
  return list | std::views::split(',') |
         std::views::transform([](auto element) { return Trim(std::string_view(element)); });
}

// Returns whether the weight (RFC 9110 section 12.4.2) means "never": "q=0", "q=0.000".
bool IsZeroWeight(std::string_view parameters) {
  const std::string_view weight = Trim(parameters);
  return weight.size() >= 3 && (weight.front() == 'q' || weight.front() == 'Q') &&
         weight[1] == '=' && weight.find_first_not_of("0.", 2) == std::string_view::npos;
}

// Returns whether the client accepts gzip; `*` stands for codings that are not named.
bool AcceptsGzip(const http::Request& request) {
  bool accepted = false;
  for (const std::string_view element : Elements(request.Header("Accept-Encoding").value_or(""))) {
    const std::size_t semicolon = element.find(';');
    const std::string_view coding = Trim(element.substr(0, semicolon));
    const bool is_wanted =
        semicolon == std::string_view::npos || !IsZeroWeight(element.substr(semicolon + 1));
    if (boost::beast::iequals(coding, "gzip")) return is_wanted;
    if (coding == "*") accepted = is_wanted;
  }
  return accepted;
}

}  // namespace

http::Response Answer(const StaticFile& file, const http::Request& request) {
  const bool is_compressed = !file.gzip.empty() && AcceptsGzip(request);
  // Each coding is a separate representation with its own tag.
  const std::string etag = '"' + file.version + (is_compressed ? "-gzip\"" : "\"");
  http::Response response{.content_type = file.content_type};
  response.headers = {
      {"ETag", etag},
      {"Cache-Control", file.is_immutable ? "public, max-age=31536000, immutable" : "no-cache"}};
  if (!file.gzip.empty()) response.headers.emplace_back("Vary", "Accept-Encoding");
  if (!file.policy.empty()) response.headers.emplace_back("Content-Security-Policy", file.policy);
  if (http::IsKnownToClient(request, etag)) {
    response.status = 304;
    return response;
  }
  if (is_compressed) response.headers.emplace_back("Content-Encoding", "gzip");
  response.static_body = is_compressed ? file.gzip : file.content;
  return response;
}

}  // namespace platform::service
