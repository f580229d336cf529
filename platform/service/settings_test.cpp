#include "platform/service/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace platform::service {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::uint16_t kDefaultPort = 8081;

TEST(ServiceSettings, HaveDefaults) {
  config::Environment environment(config::Environment::Variables{});
  const Settings settings = ReadSettings(environment, kDefaultPort);
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
  const Settings settings = ReadSettings(environment, kDefaultPort);
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
  ReadSettings(environment, kDefaultPort);
  EXPECT_THAT(environment.Mistakes(),
              ElementsAre(StartsWith("SERVICE_PORT is"), StartsWith("METRICS_PORT is"),
                          StartsWith("WORKERS is"), StartsWith("SHUTDOWN_GRACE is"),
                          StartsWith("LOG_LEVEL is")));
}

}  // namespace
}  // namespace platform::service
