#include "platform/http/condition.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <cstddef>

#include "platform/security/base64.h"

namespace platform::http {
namespace {

constexpr std::string_view kWeak = "W/";

// Returns the length of the entity tag or "*" at the beginning of the text, or 0.
std::size_t TagLength(std::string_view text) {
  if (text.starts_with('*')) return 1;
  const std::size_t open = text.starts_with(kWeak) ? kWeak.size() : 0;
  if (!text.substr(open).starts_with('"')) return 0;
  const std::size_t close = text.find('"', open + 1);
  return close == std::string_view::npos ? 0 : close + 1;
}

void ReadTags(std::string_view text, StateTags& tags) {
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(", \t"), text.size()));
    const std::size_t length = TagLength(text);
    if (length == 0) return;
    tags.emplace_back(text.substr(0, length));
    text.remove_prefix(length);
    if (!text.empty() && !std::string_view(", \t").contains(text.front())) {
      tags.pop_back();
      return;
    }
  }
}

// Returns the tags of all fields of this name, or nothing if there is none.
std::optional<StateTags> ReadAll(const Request& request, std::string_view name) {
  std::optional<StateTags> tags;
  for (const HeaderField& field : request.headers) {
    if (!boost::beast::iequals(field.name, name)) continue;
    if (!tags) tags.emplace();
    ReadTags(field.value, *tags);
  }
  return tags;
}

std::string_view WithoutWeakness(std::string_view tag) {
  if (tag.starts_with(kWeak)) tag.remove_prefix(kWeak.size());
  return tag;
}

}  // namespace

std::optional<StateTags> ReadIfMatch(const Request& request) {
  return ReadAll(request, "If-Match");
}

std::string TagOfBody(std::string_view body) {
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, XXH3_128bits(body.data(), body.size()));
  return fmt::format(R"("{}")",
                     security::EncodeBase64Url(std::string_view(
                         reinterpret_cast<const char*>(digest.digest), sizeof digest.digest)));
}

std::string CacheControl(std::chrono::seconds lifetime) {
  return lifetime.count() == 0 ? "public, no-cache"
                               : fmt::format("public, max-age={}", lifetime.count());
}

void LeaveOutKnownBody(const Request& request, Response& response) {
  const auto tag =
      std::ranges::find(response.headers, "ETag", &std::pair<std::string_view, std::string>::first);
  if (tag == response.headers.end() || !IsKnownToClient(request, tag->second)) return;
  response.status = 304;
  response.body.clear();
}

bool IsKnownToClient(const Request& request, std::string_view tag) {
  const auto known = ReadAll(request, "If-None-Match");
  return known && std::ranges::any_of(*known, [&](std::string_view one) {
           return one == "*" || WithoutWeakness(one) == tag;
         });
}

}  // namespace platform::http
