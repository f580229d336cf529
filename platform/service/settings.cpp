#include "platform/service/settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "platform/service/health.h"
#include "platform/trace/settings.h"

namespace platform::service {

using config::Environment;

namespace {

constexpr std::uint16_t kMetricsPortDistance = 1000;
constexpr int kMaxWorkers = 256;
constexpr int kMaxGraceSeconds = 3600;

constexpr std::size_t kConnectionsPerClient = 1000;
constexpr std::size_t kMemoryBytes = 8UZ * 1024 * 1024;
constexpr int kKiB = 1024;
constexpr int kMiB = 1024 * kKiB;

// Reads a time in whole seconds.
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
            "connections at once, in all; beyond them, the one that waits longest is closed");
  limits.connections = (connections + workers - 1) / workers;
  return limits;
}

http::ServerOptions ReadHttpSettings(Environment& environment, std::size_t workers) {
  http::ServerOptions options;
  options.limits = ReadLimits(environment, workers);
  options.clients = std::make_shared<http::ClientConnections>(
      Count(environment, "HTTP_MAX_CONNECTIONS_PER_CLIENT", kConnectionsPerClient, {1, 1'000'000},
            "connections at once of one address that is no trusted proxy; more are closed"));
  const std::size_t memory =
      Count(environment, "HTTP_MAX_MEMORY_BYTES", kMemoryBytes, {kMiB, 1024 * kMiB},
            "bytes of large requests and answers in progress, in all; then 503");
  if (memory < options.limits.body_bytes) {
    environment.AddMistake("HTTP_MAX_MEMORY_BYTES", "is less than HTTP_MAX_BODY_BYTES");
  }
  options.memory = std::make_shared<http::MemoryBudget>(memory);
  options.health_paths = {std::string(kHealthPath), std::string(kReadinessPath)};
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

log::Level LevelFromName(std::string_view name) {
  if (name == "trace") return log::Level::kTrace;
  if (name == "debug") return log::Level::kDebug;
  if (name == "warning") return log::Level::kWarning;
  if (name == "error") return log::Level::kError;
  return log::Level::kInfo;
}

LogSettings ReadLogSettings(Environment& environment) {
  const bool debug = environment.Boolean("DEBUG", false, "log at level debug by default");
  const std::string level =
      environment.OneOf("LOG_LEVEL", {"trace", "debug", "info", "warning", "error"},
                        debug ? "debug" : "info", "least severe level that is logged");
  const std::string format =
      environment.OneOf("LOG_FORMAT", {"json", "text"}, "json", "form of the log lines");
  return {.level = LevelFromName(level),
          .format = format == "text" ? log::Format::kText : log::Format::kJson};
}

struct HostAndPort {
  std::string host;
  std::optional<std::string> port;
};

// Splits `host:port` and `[IPv6 address]:port`. A socket directory or an IPv6 address without
// brackets has no port.
HostAndPort SplitPort(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const std::size_t bracket = text.rfind(']');
  if (text.starts_with('[') && bracket != std::string::npos) {
    const std::string address = text.substr(1, bracket - 1);
    if (bracket + 1 == text.size()) return {.host = address, .port = std::nullopt};
    if (colon == bracket + 1) return {.host = address, .port = text.substr(colon + 1)};
  }
  const bool is_directory = text.starts_with('/') || text.starts_with('@');
  if (is_directory || colon == std::string::npos || text.find(':') != colon) {
    return {.host = text, .port = std::nullopt};
  }
  return {.host = text.substr(0, colon), .port = text.substr(colon + 1)};
}

std::optional<std::uint16_t> ParsePort(const std::string& digits) {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, port);
  if (error != std::errc() || stop != end || port == 0) return std::nullopt;
  return port;
}

std::vector<std::string> SplitList(const std::string& text) {
  std::vector<std::string> elements;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find(',', begin);
    elements.push_back(text.substr(begin, end - begin));
  }
  return elements;
}

// Reads POSTGRES_HOST and POSTGRES_PORT, which may be lists as libpq has them: as many ports as
// hosts, or one port for all. A port may also be part of its host, as the reference has it.
std::vector<postgres::Server> ReadPostgresServers(Environment& environment) {
  const postgres::Server fallback;
  std::vector<postgres::Server> servers;
  std::vector<bool> has_port;
  std::string default_ports;
  bool is_right = true;
  for (const std::string& element :
       SplitList(environment.String("POSTGRES_HOST", fallback.host,
                                    "host, host:port or socket directory of the PostgreSQL server; "
                                    "of several, the one that accepts writes is used"))) {
    const auto [host, port_text] = SplitPort(element);
    const auto port = port_text ? ParsePort(*port_text) : fallback.port;
    is_right = is_right && !host.empty() && port;
    servers.push_back({.host = host, .port = port.value_or(fallback.port)});
    has_port.push_back(port_text.has_value());
    if (!default_ports.empty()) default_ports += ',';
    default_ports += std::to_string(servers.back().port);
  }
  if (std::ranges::count(has_port, true) == 0) default_ports = std::to_string(fallback.port);
  const std::string ports_text = environment.String(
      "POSTGRES_PORT", default_ports, "port of the PostgreSQL server, or a list like the hosts'");
  if (!is_right) {
    environment.AddMistake(
        "POSTGRES_HOST",
        "should be a host, host:port or a socket directory, or several separated "
        "by commas; a port is a number from 1 to 65535");
  }
  std::vector<std::uint16_t> ports;
  for (const std::string& element : SplitList(ports_text)) {
    const auto port = ParsePort(element);
    if (!port) {
      environment.AddMistake("POSTGRES_PORT",
                             "is \"" + ports_text + "\"; it should be a number from 1 to 65535");
      return servers;
    }
    ports.push_back(*port);
  }
  if (!is_right) return servers;
  if (ports.size() == 1) ports.resize(servers.size(), ports.front());
  if (ports.size() != servers.size()) {
    environment.AddMistake("POSTGRES_PORT",
                           "should be one port, or as many as POSTGRES_HOST has hosts");
    return servers;
  }
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (has_port[i] && ports[i] != servers[i].port) {
      environment.AddMistake(
          "POSTGRES_PORT", "is set, and POSTGRES_HOST names another port; only one of them should");
      return servers;
    }
    servers[i].port = ports[i];
  }
  return servers;
}

}  // namespace

Settings ReadSettings(Environment& environment, std::string_view service,
                      std::uint16_t default_port) {
  const int cores =
      std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMaxWorkers);
  Settings settings;
  settings.address =
      environment.String("LISTEN_ADDRESS", "0.0.0.0", "address that the REST API listens on");
  settings.port = environment.ListenPort("SERVICE_PORT", default_port, "port of the REST API");
  settings.metrics_address =
      environment.String("METRICS_ADDRESS", "127.0.0.1", "address that the metrics are served on");
  settings.metrics_port = environment.ListenPort(
      "METRICS_PORT", static_cast<std::uint16_t>(default_port + kMetricsPortDistance),
      "port of the metrics, for Prometheus");
  settings.workers = static_cast<std::size_t>(environment.Integer(
      "WORKERS", cores, {1, kMaxWorkers}, "worker threads", "one for each core"));
  settings.shutdown_grace =
      environment.Seconds("SHUTDOWN_GRACE", std::chrono::seconds(30), {0, kMaxGraceSeconds},
                          "how long a stopping service waits for requests in progress");
  settings.http = ReadHttpSettings(environment, settings.workers);
  settings.log = ReadLogSettings(environment);
  settings.tracer = trace::ReadTracerOptions(environment, service);
  return settings;
}

postgres::Settings ReadPostgresSettings(Environment& environment) {
  // Read in the order of the table in --help: first the address, then the login.
  postgres::Settings settings;
  settings.servers = ReadPostgresServers(environment);
  settings.database = environment.RequiredString("POSTGRES_DB", "name of the service's database");
  settings.user = environment.RequiredString("POSTGRES_USER", "user of the service's database");
  settings.password = environment.SecretOrFile("POSTGRES_PASSWORD", 1, "password of that user");
  settings.sslmode = environment.OneOf(
      "POSTGRES_SSLMODE", {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
      settings.sslmode, "TLS towards the PostgreSQL server");
  return settings;
}

std::vector<grpc::HostAndPort> ReadReplicas(Environment& environment, std::string_view variable,
                                            std::uint16_t port, std::string_view help) {
  std::vector<grpc::HostAndPort> replicas;
  bool is_right = true;
  for (const std::string& element : SplitList(environment.String(variable, "localhost", help))) {
    const auto [host, port_text] = SplitPort(element);
    const auto own_port = port_text ? ParsePort(*port_text) : port;
    is_right =
        is_right && !host.empty() && host.find_first_of(" /@") == std::string::npos && own_port;
    replicas.push_back({.host = host, .port = own_port.value_or(port)});
  }
  if (!is_right) {
    environment.AddMistake(variable,
                           "should be a host or host:port, or several separated by commas; a port "
                           "is a number from 1 to 65535");
  }
  return replicas;
}

grpc::TlsFiles ReadTlsFiles(Environment& environment) {
  grpc::TlsFiles files;
  files.ca = environment.ReadableFile("TLS_CA_FILE", "PEM file of the CA of all gRPC peers");
  files.certificate =
      environment.ReadableFile("TLS_CERT_FILE", "PEM file of this service's certificate");
  files.key = environment.ReadableFile("TLS_KEY_FILE", "PEM file of the certificate's key");
  return files;
}

}  // namespace platform::service
