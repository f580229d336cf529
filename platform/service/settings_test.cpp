#include "platform/service/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace platform::service {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::uint16_t kDefaultPort = 8081;

TEST(ServiceSettings, HaveDefaults) {
  config::Environment environment(config::Environment::Variables{});
  const Settings settings = ReadSettings(environment, "shop", kDefaultPort);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_EQ(settings.address, "0.0.0.0");
  EXPECT_EQ(settings.port, kDefaultPort);
  EXPECT_EQ(settings.metrics_address, "127.0.0.1");
  EXPECT_EQ(settings.metrics_port, 9081);
  EXPECT_GE(settings.workers, 1U);
  EXPECT_EQ(settings.shutdown_grace, std::chrono::seconds(30));
  EXPECT_EQ(settings.log.level, log::Level::kInfo);
  EXPECT_EQ(settings.log.format, log::Format::kJson);
}

TEST(ServiceSettings, AreAllRead) {
  config::Environment environment({{"LISTEN_ADDRESS", "127.0.0.1"},
                                   {"SERVICE_PORT", "0"},
                                   {"METRICS_ADDRESS", "::1"},
                                   {"METRICS_PORT", "0"},
                                   {"WORKERS", "3"},
                                   {"SHUTDOWN_GRACE", "0"},
                                   {"LOG_LEVEL", "error"},
                                   {"LOG_FORMAT", "text"}});
  const Settings settings = ReadSettings(environment, "shop", kDefaultPort);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_EQ(settings.address, "127.0.0.1");
  EXPECT_EQ(settings.port, 0);
  EXPECT_EQ(settings.metrics_address, "::1");
  EXPECT_EQ(settings.metrics_port, 0);
  EXPECT_EQ(settings.workers, 3U);
  EXPECT_EQ(settings.shutdown_grace, std::chrono::seconds(0));
  EXPECT_EQ(settings.log.level, log::Level::kError);
  EXPECT_EQ(settings.log.format, log::Format::kText);
}

TEST(ServiceSettings, ReportAllMistakes) {
  config::Environment environment({{"SERVICE_PORT", "65536"},
                                   {"METRICS_PORT", "-1"},
                                   {"WORKERS", "0"},
                                   {"SHUTDOWN_GRACE", "3601"},
                                   {"LOG_LEVEL", "loud"}});
  ReadSettings(environment, "shop", kDefaultPort);
  EXPECT_THAT(environment.Mistakes(),
              ElementsAre(StartsWith("SERVICE_PORT is"), StartsWith("METRICS_PORT is"),
                          StartsWith("WORKERS is"), StartsWith("SHUTDOWN_GRACE is"),
                          StartsWith("LOG_LEVEL is")));
}

TEST(HttpSettings, HaveDefaults) {
  config::Environment environment({{"WORKERS", "1"}});
  const http::ServerOptions options = ReadSettings(environment, "shop", kDefaultPort).http;
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_EQ(options.limits.head_bytes, 16384U);
  EXPECT_EQ(options.limits.body_bytes, 65536U);
  EXPECT_EQ(options.limits.head_timeout, 10s);
  EXPECT_EQ(options.limits.body_timeout, 30s);
  EXPECT_EQ(options.limits.idle_timeout, 60s);
  EXPECT_EQ(options.limits.write_timeout, 30s);
  EXPECT_EQ(options.limits.requests_per_connection, 1'000'000U);
  EXPECT_EQ(options.limits.connections, 10'000U);
  EXPECT_EQ(options.memory->limit(), 8U * 1024 * 1024);
  EXPECT_FALSE(options.trusted_proxies.Trusts("127.0.0.1"));
}

TEST(HttpSettings, AreAllRead) {
  config::Environment environment({{"WORKERS", "3"},
                                   {"HTTP_MAX_HEADER_BYTES", "1024"},
                                   {"HTTP_MAX_BODY_BYTES", "2048"},
                                   {"HTTP_HEADER_TIMEOUT", "1"},
                                   {"HTTP_BODY_TIMEOUT", "2"},
                                   {"HTTP_IDLE_TIMEOUT", "3"},
                                   {"HTTP_WRITE_TIMEOUT", "4"},
                                   {"HTTP_MAX_REQUESTS_PER_CONNECTION", "5"},
                                   {"HTTP_MAX_CONNECTIONS", "7"},
                                   {"HTTP_MAX_CONNECTIONS_PER_CLIENT", "1"},
                                   {"HTTP_MAX_MEMORY_BYTES", "3000000"},
                                   {"TRUSTED_PROXIES", "10.0.0.0/8"},
                                   {"CORS_ORIGINS", "https://shop.example"}});
  const http::ServerOptions options = ReadSettings(environment, "shop", kDefaultPort).http;
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_EQ(options.limits.head_bytes, 1024U);
  EXPECT_EQ(options.limits.body_bytes, 2048U);
  EXPECT_EQ(options.limits.head_timeout, 1s);
  EXPECT_EQ(options.limits.body_timeout, 2s);
  EXPECT_EQ(options.limits.idle_timeout, 3s);
  EXPECT_EQ(options.limits.write_timeout, 4s);
  EXPECT_EQ(options.limits.requests_per_connection, 5U);
  EXPECT_EQ(options.limits.connections, 3U);  // A third of them, rounded up.
  EXPECT_EQ(options.memory->limit(), 3'000'000U);
  const auto slot = options.clients->Take("192.0.2.1");
  EXPECT_TRUE(slot);
  EXPECT_FALSE(options.clients->Take("192.0.2.1"));
  EXPECT_TRUE(options.trusted_proxies.Trusts("10.1.2.3"));
  http::Response response;
  const std::vector<http::HeaderField> headers = {{"Origin", "https://shop.example"}};
  options.cors.AddHeaders(http::Method::kGet, headers, response);
  EXPECT_FALSE(response.headers.empty());
}

TEST(HttpSettings, ReportAllMistakes) {
  config::Environment environment({{"HTTP_MAX_HEADER_BYTES", "1023"},
                                   {"HTTP_MAX_BODY_BYTES", "1073741824"},
                                   {"HTTP_HEADER_TIMEOUT", "0"},
                                   {"HTTP_BODY_TIMEOUT", "3601"},
                                   {"HTTP_IDLE_TIMEOUT", "1.5"},
                                   {"HTTP_WRITE_TIMEOUT", "-1"},
                                   {"HTTP_MAX_REQUESTS_PER_CONNECTION", "0"},
                                   {"HTTP_MAX_CONNECTIONS", "many"},
                                   {"HTTP_MAX_MEMORY_BYTES", "1000"},
                                   {"TRUSTED_PROXIES", "10.0.0.0/33"},
                                   {"CORS_ORIGINS", "https://shop.example, *"}});
  ReadSettings(environment, "shop", kDefaultPort);
  EXPECT_THAT(
      environment.Mistakes(),
      ElementsAre(
          "HTTP_MAX_HEADER_BYTES is \"1023\"; it should be a whole number from 1024 to 1048576",
          StartsWith("HTTP_MAX_BODY_BYTES is "), StartsWith("HTTP_HEADER_TIMEOUT is "),
          StartsWith("HTTP_BODY_TIMEOUT is "), StartsWith("HTTP_IDLE_TIMEOUT is "),
          StartsWith("HTTP_WRITE_TIMEOUT is "), StartsWith("HTTP_MAX_REQUESTS_PER_CONNECTION is "),
          StartsWith("HTTP_MAX_CONNECTIONS is "), StartsWith("HTTP_MAX_MEMORY_BYTES is "),
          "TRUSTED_PROXIES has \"10.0.0.0/33\"; it should be networks such as 10.0.0.0/8, "
          "separated by commas",
          "CORS_ORIGINS has \"*\"; it should be origins as browsers send them, such as "
          "https://shop.example, separated by commas or spaces (never *)"));
}

TEST(HttpSettings, AskForMemoryForABody) {
  config::Environment environment(
      {{"HTTP_MAX_BODY_BYTES", "2000000"}, {"HTTP_MAX_MEMORY_BYTES", "1999999"}});
  ReadSettings(environment, "shop", kDefaultPort);
  EXPECT_THAT(environment.Mistakes(),
              ElementsAre("HTTP_MAX_MEMORY_BYTES is less than HTTP_MAX_BODY_BYTES"));
}

TEST(PostgresSettings, HaveDefaults) {
  config::Environment environment(
      {{"POSTGRES_DB", "cart"}, {"POSTGRES_USER", "app"}, {"POSTGRES_PASSWORD", "pw"}});
  const postgres::Settings settings = ReadPostgresSettings(environment);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_EQ(settings.servers.front().host, "localhost");
  EXPECT_EQ(settings.servers.front().port, 5432);
  EXPECT_EQ(settings.database, "cart");
  EXPECT_EQ(settings.user, "app");
  EXPECT_EQ(settings.password.Reveal(), "pw");
  EXPECT_EQ(settings.sslmode, "prefer");
}

TEST(PostgresSettings, AreAllRead) {
  config::Environment environment({{"POSTGRES_HOST", "/run/postgresql"},
                                   {"POSTGRES_PORT", "5433"},
                                   {"POSTGRES_DB", "cart"},
                                   {"POSTGRES_USER", "app"},
                                   {"POSTGRES_PASSWORD", "pw"},
                                   {"POSTGRES_SSLMODE", "verify-full"}});
  const postgres::Settings settings = ReadPostgresSettings(environment);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_EQ(settings.servers.front().host, "/run/postgresql");
  EXPECT_EQ(settings.servers.front().port, 5433);
  EXPECT_EQ(settings.sslmode, "verify-full");
}

TEST(Replicas, MayBeSeveralWithPorts) {
  config::Environment environment({{"PEER_HOST", "peer,10.0.0.1:7000,[::1]:7001,::1"}});
  EXPECT_THAT(ReadReplicas(environment, "PEER_HOST", 50051, "the peer"),
              ElementsAre(grpc::HostAndPort{"peer", 50051}, grpc::HostAndPort{"10.0.0.1", 7000},
                          grpc::HostAndPort{"::1", 7001}, grpc::HostAndPort{"::1", 50051}));
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
}

TEST(Replicas, AreOnThisMachineByDefault) {
  config::Environment environment(config::Environment::Variables{});
  EXPECT_THAT(ReadReplicas(environment, "PEER_HOST", 50051, "the peer"),
              ElementsAre(grpc::HostAndPort{"localhost", 50051}));
}

TEST(Replicas, MustBeHosts) {
  for (const char* wrong :
       {",", "peer,", "peer:", "peer:0", "peer:65536", "peer:x", "a b", "/tmp", ":50051"}) {
    config::Environment environment({{"PEER_HOST", wrong}});
    ReadReplicas(environment, "PEER_HOST", 50051, "the peer");
    EXPECT_THAT(environment.Mistakes(), ElementsAre(testing::StartsWith("PEER_HOST should be")))
        << wrong;
  }
}

struct AddressCase {
  const char* label;
  const char* variable;
  const char* host;
  std::uint16_t port = 5432;
};

void PrintTo(const AddressCase& row, std::ostream* out) { *out << row.label; }

class PostgresAddress : public testing::TestWithParam<AddressCase> {
 protected:
  // The variables that are required, and those of the case.
  static config::Environment::Variables With(config::Environment::Variables more) {
    more.merge(config::Environment::Variables{
        {"POSTGRES_DB", "cart"}, {"POSTGRES_USER", "app"}, {"POSTGRES_PASSWORD", "pw"}});
    return more;
  }
};

TEST_P(PostgresAddress, MayCarryItsPort) {
  config::Environment environment(With({{"POSTGRES_HOST", GetParam().variable}}));
  const postgres::Settings settings = ReadPostgresSettings(environment);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_EQ(settings.servers.front().host, GetParam().host);
  EXPECT_EQ(settings.servers.front().port, GetParam().port);
}

TEST_P(PostgresAddress, MayNameThePortTwiceIfItIsTheSame) {
  config::Environment environment(With({{"POSTGRES_HOST", GetParam().variable},
                                        {"POSTGRES_PORT", std::to_string(GetParam().port)}}));
  EXPECT_EQ(ReadPostgresSettings(environment).servers.front().port, GetParam().port);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    , PostgresAddress,
    testing::Values(AddressCase{"name", "db", "db"},
                    AddressCase{"name_and_port", "db:6543", "db", 6543},
                    AddressCase{"ipv4_and_port", "10.0.0.7:1", "10.0.0.7", 1},
                    AddressCase{"ipv6", "::1", "::1"},
                    AddressCase{"ipv6_in_full", "2001:db8::5432", "2001:db8::5432"},
                    AddressCase{"ipv6_in_brackets", "[::1]", "::1"},
                    AddressCase{"ipv6_and_port", "[::1]:65535", "::1", 65535},
                    AddressCase{"socket_directory", "/run/postgresql", "/run/postgresql"},
                    AddressCase{"socket_directory_with_colon", "/run/pg:5433", "/run/pg:5433"},
                    AddressCase{"abstract_socket", "@pg:5433", "@pg:5433"}),
    [](const auto& row) { return std::string(row.param.label); });

TEST(PostgresSettings, RefuseWhatIsNoAddress) {
  for (const char* host : {"db:", "db:0", "db:65536", "db:x", ":5432", "db:-1", "[::1]:", "[]"}) {
    config::Environment environment({{"POSTGRES_HOST", host},
                                     {"POSTGRES_DB", "cart"},
                                     {"POSTGRES_USER", "app"},
                                     {"POSTGRES_PASSWORD", "pw"}});
    ReadPostgresSettings(environment);
    EXPECT_THAT(environment.Mistakes(), ElementsAre(StartsWith("POSTGRES_HOST should be a host")))
        << host;
  }
}

struct ServersCase {
  const char* label;
  config::Environment::Variables variables;
  std::vector<std::pair<std::string, std::uint16_t>> servers;
};

void PrintTo(const ServersCase& row, std::ostream* out) { *out << row.label; }

class PostgresServers : public testing::TestWithParam<ServersCase> {};

TEST_P(PostgresServers, AreReadAsLibpqReadsThem) {
  config::Environment environment(GetParam().variables);
  std::vector<std::pair<std::string, std::uint16_t>> servers;
  for (const auto& [host, port] : ReadPostgresSettings(environment).servers) {
    servers.emplace_back(host, port);
  }
  EXPECT_EQ(servers, GetParam().servers);
  for (const std::string& mistake : environment.Mistakes()) {
    EXPECT_THAT(mistake, testing::Not(testing::ContainsRegex("POSTGRES_(HOST|PORT)")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , PostgresServers,
    testing::Values(
        ServersCase{"none", {}, {{"localhost", 5432}}},
        ServersCase{"default_port", {{"POSTGRES_HOST", "a,b"}}, {{"a", 5432}, {"b", 5432}}},
        ServersCase{
            "one_port", {{"POSTGRES_HOST", "a,b"}, {"POSTGRES_PORT", "1"}}, {{"a", 1}, {"b", 1}}},
        ServersCase{"a_port_for_each",
                    {{"POSTGRES_HOST", "a,::1,/run/pg"}, {"POSTGRES_PORT", "1,2,3"}},
                    {{"a", 1}, {"::1", 2}, {"/run/pg", 3}}},
        ServersCase{"ports_in_hosts",
                    {{"POSTGRES_HOST", "a:1,b,[::1]:3"}},
                    {{"a", 1}, {"b", 5432}, {"::1", 3}}},
        ServersCase{"ports_in_both",
                    {{"POSTGRES_HOST", "a:1,b"}, {"POSTGRES_PORT", "1,2"}},
                    {{"a", 1}, {"b", 2}}}),
    [](const auto& row) { return std::string(row.param.label); });

TEST(PostgresSettings, NameMistakesInListsOfServers) {
  const auto mistake = [](const char* hosts, const char* ports) -> std::string {
    config::Environment environment({{"POSTGRES_HOST", hosts},
                                     {"POSTGRES_PORT", ports},
                                     {"POSTGRES_DB", "cart"},
                                     {"POSTGRES_USER", "app"},
                                     {"POSTGRES_PASSWORD", "pw"}});
    ReadPostgresSettings(environment);
    return environment.Mistakes().size() == 1 ? environment.Mistakes().front() : "";
  };
  EXPECT_THAT(mistake("a,,b", "1"), StartsWith("POSTGRES_HOST should be a host"));
  EXPECT_THAT(mistake("a,b:x", "1"), StartsWith("POSTGRES_HOST should be a host"));
  EXPECT_THAT(mistake("a,b", "1,2,3"), StartsWith("POSTGRES_PORT should be one port"));
  EXPECT_THAT(mistake("a", "1,2"), StartsWith("POSTGRES_PORT should be one port"));
  EXPECT_THAT(mistake("a,b", "1,x"), StartsWith("POSTGRES_PORT is \"1,x\""));
  EXPECT_THAT(mistake("a,b", "1,"), StartsWith("POSTGRES_PORT is \"1,\""));
  EXPECT_THAT(mistake("a:1,b:2", "1"), StartsWith("POSTGRES_PORT is set, and POSTGRES_HOST names"));
}

TEST(PostgresSettings, RefuseTwoPorts) {
  config::Environment environment({{"POSTGRES_HOST", "db:5433"},
                                   {"POSTGRES_PORT", "5432"},
                                   {"POSTGRES_DB", "cart"},
                                   {"POSTGRES_USER", "app"},
                                   {"POSTGRES_PASSWORD", "pw"}});
  ReadPostgresSettings(environment);
  EXPECT_THAT(environment.Mistakes(),
              ElementsAre(StartsWith("POSTGRES_PORT is set, and POSTGRES_HOST names another")));
}

TEST(PostgresSettings, ReportWhatIsMissing) {
  config::Environment environment({{"POSTGRES_SSLMODE", "on"}});
  ReadPostgresSettings(environment);
  EXPECT_THAT(environment.Mistakes(), ElementsAre(StartsWith("POSTGRES_DB is not set"),
                                                  StartsWith("POSTGRES_USER is not set"),
                                                  StartsWith("POSTGRES_PASSWORD is not set"),
                                                  StartsWith("POSTGRES_SSLMODE is \"on\"")));
}

TEST(TlsFiles, AreRequired) {
  config::Environment environment({{"TLS_CA_FILE", "/proc/version"}});
  ReadTlsFiles(environment);
  EXPECT_THAT(environment.Mistakes(), ElementsAre(StartsWith("TLS_CERT_FILE is not set"),
                                                  StartsWith("TLS_KEY_FILE is not set")));
}

TEST(TlsFiles, AreRead) {
  config::Environment environment({{"TLS_CA_FILE", "/proc/version"},
                                   {"TLS_CERT_FILE", "/proc/uptime"},
                                   {"TLS_KEY_FILE", "/proc/meminfo"}});
  const grpc::TlsFiles files = ReadTlsFiles(environment);
  EXPECT_EQ(files.ca, "/proc/version");
  EXPECT_EQ(files.certificate, "/proc/uptime");
  EXPECT_EQ(files.key, "/proc/meminfo");
}

struct LogCase {
  const char* label;
  config::Environment::Variables variables;
  log::Level level;
  log::Format format = log::Format::kJson;
};

void PrintTo(const LogCase& row, std::ostream* out) { *out << row.label; }

class ReadLog : public testing::TestWithParam<LogCase> {};

TEST_P(ReadLog, Settings) {
  config::Environment environment(GetParam().variables);
  const LogSettings settings = ReadSettings(environment, "shop", kDefaultPort).log;
  EXPECT_EQ(settings.level, GetParam().level);
  EXPECT_EQ(settings.format, GetParam().format);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    , ReadLog,
    testing::Values(
        LogCase{"defaults", {}, log::Level::kInfo},
        LogCase{"debug", {{"DEBUG", "true"}}, log::Level::kDebug},
        LogCase{"level_wins", {{"DEBUG", "true"}, {"LOG_LEVEL", "error"}}, log::Level::kError},
        LogCase{"trace", {{"LOG_LEVEL", "trace"}}, log::Level::kTrace},
        LogCase{"debug_level", {{"LOG_LEVEL", "debug"}}, log::Level::kDebug},
        LogCase{"info", {{"LOG_LEVEL", "info"}}, log::Level::kInfo},
        LogCase{"warning", {{"LOG_LEVEL", "warning"}}, log::Level::kWarning},
        LogCase{"text", {{"LOG_FORMAT", "text"}}, log::Level::kInfo, log::Format::kText}),
    [](const auto& row) { return std::string(row.param.label); });

}  // namespace
}  // namespace platform::service
