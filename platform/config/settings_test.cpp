#include "platform/config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace platform::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

TEST(PostgresSettings, HaveDefaults) {
  Environment environment(
      {{"POSTGRES_DB", "cart"}, {"POSTGRES_USER", "app"}, {"POSTGRES_PASSWORD", "pw"}});
  const postgres::Settings settings = ReadPostgresSettings(environment);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_EQ(settings.host, "localhost");
  EXPECT_EQ(settings.port, 5432);
  EXPECT_EQ(settings.database, "cart");
  EXPECT_EQ(settings.user, "app");
  EXPECT_EQ(settings.password.Reveal(), "pw");
  EXPECT_EQ(settings.sslmode, "prefer");
}

TEST(PostgresSettings, AreAllRead) {
  Environment environment({{"POSTGRES_HOST", "/run/postgresql"},
                           {"POSTGRES_PORT", "5433"},
                           {"POSTGRES_DB", "cart"},
                           {"POSTGRES_USER", "app"},
                           {"POSTGRES_PASSWORD", "pw"},
                           {"POSTGRES_SSLMODE", "verify-full"}});
  const postgres::Settings settings = ReadPostgresSettings(environment);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_EQ(settings.host, "/run/postgresql");
  EXPECT_EQ(settings.port, 5433);
  EXPECT_EQ(settings.sslmode, "verify-full");
}

TEST(PostgresSettings, ReportWhatIsMissing) {
  Environment environment({{"POSTGRES_SSLMODE", "on"}});
  ReadPostgresSettings(environment);
  EXPECT_THAT(environment.Mistakes(), ElementsAre(StartsWith("POSTGRES_DB is not set"),
                                                  StartsWith("POSTGRES_USER is not set"),
                                                  StartsWith("POSTGRES_PASSWORD is not set"),
                                                  StartsWith("POSTGRES_SSLMODE is \"on\"")));
}

TEST(TlsFiles, AreRequired) {
  Environment environment({{"TLS_CA_FILE", "/proc/version"}});
  ReadTlsFiles(environment);
  EXPECT_THAT(environment.Mistakes(), ElementsAre(StartsWith("TLS_CERT_FILE is not set"),
                                                  StartsWith("TLS_KEY_FILE is not set")));
}

TEST(TlsFiles, AreRead) {
  Environment environment({{"TLS_CA_FILE", "/proc/version"},
                           {"TLS_CERT_FILE", "/proc/uptime"},
                           {"TLS_KEY_FILE", "/proc/meminfo"}});
  const grpc::TlsFiles files = ReadTlsFiles(environment);
  EXPECT_EQ(files.ca, "/proc/version");
  EXPECT_EQ(files.certificate, "/proc/uptime");
  EXPECT_EQ(files.key, "/proc/meminfo");
}

struct LogCase {
  const char* label;
  Environment::Variables variables;
  log::Level level;
  log::Format format = log::Format::kJson;
};

void PrintTo(const LogCase& row, std::ostream* out) { *out << row.label; }

class ReadLog : public testing::TestWithParam<LogCase> {};

TEST_P(ReadLog, Settings) {
  Environment environment(GetParam().variables);
  const LogSettings settings = ReadLogSettings(environment);
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
}  // namespace platform::config
