#include "platform/trace/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/pct_string_view.hpp>
#include <boost/url/url_view.hpp>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace platform::trace {
namespace {

using config::Environment;
using Collector = TracerOptions::Collector;
using Headers = std::vector<std::pair<std::string, Secret>>;

constexpr std::string_view kTracesPath = "/v1/traces";
constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

std::optional<Collector> ParseEndpoint(const std::string& text) {
  const auto url = boost::urls::parse_uri(text);
  if (!url || url->has_userinfo() || url->has_query() || url->has_fragment()) return std::nullopt;
  Collector collector;
  collector.is_tls = url->scheme_id() == boost::urls::scheme::https;
  if (!collector.is_tls && url->scheme_id() != boost::urls::scheme::http) return std::nullopt;
  // The text between the brackets of an IPv6 address.
  collector.host = url->host_address();
  if (collector.host.empty()) return std::nullopt;
  collector.port = collector.is_tls ? kHttpsPort : kHttpPort;
  if (url->has_port() && !url->port().empty()) collector.port = url->port_number();
  if (collector.port == 0) return std::nullopt;
  std::string_view path(url->encoded_path().data(), url->encoded_path().size());
  // Boost.URL 1.81 takes what follows a port that is not a number for the path.
  if (!path.empty() && !path.starts_with('/')) return std::nullopt;
  if (path.ends_with('/')) path.remove_suffix(1);
  collector.path = std::string(path).append(kTracesPath);
  return collector;
}

std::string_view Trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Returns whether the text is a header's name (a token of RFC 9110).
bool IsHeaderName(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

// Reads `key=value` pairs, separated by commas, whose values are percent-encoded.
std::optional<Headers> ParseHeaders(std::string_view text) {
  Headers headers;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view pair = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view name = Trimmed(pair.substr(0, equals));
    const auto encoded = boost::urls::make_pct_string_view(Trimmed(pair.substr(equals + 1)));
    if (!IsHeaderName(name) || !encoded) return std::nullopt;
    std::string value = encoded->decode();
    if (std::ranges::any_of(value, [](unsigned char c) { return std::iscntrl(c) != 0; })) {
      return std::nullopt;
    }
    headers.emplace_back(name, Secret(std::move(value)));
  }
  return headers;
}

// Reads a number from 0 to 1.
std::optional<double> ParseRatio(const std::string& text) {
  double ratio = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, ratio, std::chars_format::fixed);
  if (error != std::errc() || stop != end || std::isnan(ratio) || ratio < 0 || ratio > 1) {
    return std::nullopt;
  }
  return ratio;
}

Sampler ReadSampler(Environment& environment) {
  constexpr std::string_view kParentBased = "parentbased_";
  const std::string name = environment.OneOf(
      "OTEL_TRACES_SAMPLER",
      {"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off",
       "parentbased_traceidratio"},
      "parentbased_always_on", "which traces are recorded; parentbased: those that a request says");
  const std::string argument = environment.String(
      "OTEL_TRACES_SAMPLER_ARG", "1", "share of traces that traceidratio records, from 0 to 1");
  const auto ratio = ParseRatio(argument);
  if (!ratio) {
    environment.AddMistake(
        "OTEL_TRACES_SAMPLER_ARG",
        fmt::format("is {:?}; it should be a number from 0 to 1, such as 0.05", argument));
  }
  Sampler sampler{.follows_parent = name.starts_with(kParentBased)};
  if (name.ends_with("always_off")) sampler.ratio = 0;
  if (name.ends_with("traceidratio")) sampler.ratio = ratio.value_or(1);
  return sampler;
}

}  // namespace

std::optional<TracerOptions> ReadTracerOptions(Environment& environment,
                                               std::string_view default_service) {
  const std::string endpoint =
      environment.String("OTEL_EXPORTER_OTLP_ENDPOINT", "",
                         "URL of the OpenTelemetry collector that spans are sent to by OTLP/HTTP");
  std::optional<Collector> collector;
  if (!endpoint.empty()) {
    collector = ParseEndpoint(endpoint);
    if (!collector) {
      // The value may contain a password, so it is not shown.
      environment.AddMistake("OTEL_EXPORTER_OTLP_ENDPOINT",
                             "should be a URL such as http://collector:4318, without a query, a "
                             "user or a password");
    }
  }
  const Secret header_text = environment.OptionalSecretOrFile(
      "OTEL_EXPORTER_OTLP_HEADERS", 1, "headers for the collector: key=value, separated by commas");
  auto headers = ParseHeaders(header_text.Reveal());
  if (!headers) {
    environment.AddMistake("OTEL_EXPORTER_OTLP_HEADERS",
                           "should be key=value pairs, separated by commas, with values that are "
                           "percent-encoded");
  }
  std::string service =
      environment.String("OTEL_SERVICE_NAME", default_service, "name of this service in traces");
  const Sampler sampler = ReadSampler(environment);
  if (!collector || !headers) return std::nullopt;
  collector->headers = *std::move(headers);
  return TracerOptions{
      .collector = *std::move(collector), .service = std::move(service), .sampler = sampler};
}

}  // namespace platform::trace
