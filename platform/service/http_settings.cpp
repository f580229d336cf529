#include "platform/service/http_settings.h"

#include <fmt/core.h>

#include <chrono>

namespace platform::service {
namespace {

using config::Environment;

constexpr int kKiB = 1024;
constexpr int kMiB = 1024 * kKiB;

// Of the environment in whole seconds.
std::chrono::milliseconds Timeout(Environment& environment, std::string_view name,
                                  std::chrono::milliseconds fallback, std::string_view help) {
  static constexpr Environment::Range kRange = {.min = 1, .max = 3600};
  return environment.Seconds(name, std::chrono::duration_cast<std::chrono::seconds>(fallback),
                             kRange, help);
}

std::size_t Count(Environment& environment, std::string_view name, std::size_t fallback,
                  Environment::Range range, std::string_view help) {
  return static_cast<std::size_t>(
      environment.Integer(name, static_cast<int>(fallback), range, help));
}

http::Limits ReadLimits(Environment& environment, std::size_t workers) {
  const http::Limits defaults;
  http::Limits limits;
  limits.head_bytes = Count(environment, "HTTP_MAX_HEADER_BYTES", defaults.head_bytes, {kKiB, kMiB},
                            "bytes of a request line with its headers; then 431");
  limits.body_bytes = Count(environment, "HTTP_MAX_BODY_BYTES", defaults.body_bytes,
                            {kKiB, 16 * kMiB}, "bytes of a request's body; then 413");
  limits.head_timeout = Timeout(environment, "HTTP_HEADER_TIMEOUT", defaults.head_timeout,
                                "seconds for a request line with its headers; then 408");
  limits.body_timeout = Timeout(environment, "HTTP_BODY_TIMEOUT", defaults.body_timeout,
                                "seconds for a request's body; then 408");
  limits.idle_timeout = Timeout(environment, "HTTP_IDLE_TIMEOUT", defaults.idle_timeout,
                                "seconds that a connection may wait for its next request");
  limits.write_timeout = Timeout(environment, "HTTP_WRITE_TIMEOUT", defaults.write_timeout,
                                 "seconds for a client to take an answer");
  limits.requests_per_connection =
      Count(environment, "HTTP_MAX_REQUESTS_PER_CONNECTION", defaults.requests_per_connection,
            {1, 1'000'000'000}, "requests after which a connection is closed");
  const std::size_t connections =
      Count(environment, "HTTP_MAX_CONNECTIONS", defaults.connections, {1, 1'000'000},
            "connections at once, in all; each worker closes what is beyond its share");
  limits.connections = (connections + workers - 1) / workers;
  return limits;
}

}  // namespace

http::ServerOptions ReadHttpSettings(Environment& environment, std::size_t workers) {
  http::ServerOptions options;
  options.limits = ReadLimits(environment, workers);
  auto proxies = http::TrustedProxies::Parse(environment.String(
      "TRUSTED_PROXIES", "", "networks of the proxies whose X-Forwarded-For is believed"));
  if (proxies) {
    options.trusted_proxies = *std::move(proxies);
  } else {
    environment.AddMistake(
        "TRUSTED_PROXIES",
        fmt::format("has {:?}; it should be networks such as 10.0.0.0/8, separated by commas",
                    proxies.error()));
  }
  auto cors = http::CorsPolicy::Parse(
      environment.String("CORS_ORIGINS", "",
                         "origins whose pages browsers let use the API, such as "
                         "https://shop.example"));
  if (cors) {
    options.cors = *std::move(cors);
  } else {
    environment.AddMistake(
        "CORS_ORIGINS", fmt::format("has {:?}; it should be origins as browsers send them, such as "
                                    "https://shop.example, separated by commas or spaces (never *)",
                                    cors.error()));
  }
  return options;
}

}  // namespace platform::service
