#include "platform/service/http_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace platform::service {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

TEST(HttpSettings, HaveDefaults) {
  config::Environment environment(config::Environment::Variables{});
  const http::ServerOptions options = ReadHttpSettings(environment, 1);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_EQ(options.limits.head_bytes, 16384U);
  EXPECT_EQ(options.limits.body_bytes, 65536U);
  EXPECT_EQ(options.limits.head_timeout, 10s);
  EXPECT_EQ(options.limits.body_timeout, 30s);
  EXPECT_EQ(options.limits.idle_timeout, 60s);
  EXPECT_EQ(options.limits.write_timeout, 30s);
  EXPECT_EQ(options.limits.requests_per_connection, 1'000'000U);
  EXPECT_EQ(options.limits.connections, 10'000U);
  EXPECT_FALSE(options.trusted_proxies.Trusts("127.0.0.1"));
}

TEST(HttpSettings, AreAllRead) {
  config::Environment environment({{"HTTP_MAX_HEADER_BYTES", "1024"},
                                   {"HTTP_MAX_BODY_BYTES", "2048"},
                                   {"HTTP_HEADER_TIMEOUT", "1"},
                                   {"HTTP_BODY_TIMEOUT", "2"},
                                   {"HTTP_IDLE_TIMEOUT", "3"},
                                   {"HTTP_WRITE_TIMEOUT", "4"},
                                   {"HTTP_MAX_REQUESTS_PER_CONNECTION", "5"},
                                   {"HTTP_MAX_CONNECTIONS", "7"},
                                   {"TRUSTED_PROXIES", "10.0.0.0/8"},
                                   {"CORS_ORIGINS", "https://shop.example"}});
  const http::ServerOptions options = ReadHttpSettings(environment, 3);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_EQ(options.limits.head_bytes, 1024U);
  EXPECT_EQ(options.limits.body_bytes, 2048U);
  EXPECT_EQ(options.limits.head_timeout, 1s);
  EXPECT_EQ(options.limits.body_timeout, 2s);
  EXPECT_EQ(options.limits.idle_timeout, 3s);
  EXPECT_EQ(options.limits.write_timeout, 4s);
  EXPECT_EQ(options.limits.requests_per_connection, 5U);
  EXPECT_EQ(options.limits.connections, 3U);  // A third of them, rounded up.
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
                                   {"TRUSTED_PROXIES", "10.0.0.0/33"},
                                   {"CORS_ORIGINS", "https://shop.example, *"}});
  ReadHttpSettings(environment, 1);
  EXPECT_THAT(
      environment.Mistakes(),
      ElementsAre(
          "HTTP_MAX_HEADER_BYTES is \"1023\"; it should be a whole number from 1024 to 1048576",
          StartsWith("HTTP_MAX_BODY_BYTES is "), StartsWith("HTTP_HEADER_TIMEOUT is "),
          StartsWith("HTTP_BODY_TIMEOUT is "), StartsWith("HTTP_IDLE_TIMEOUT is "),
          StartsWith("HTTP_WRITE_TIMEOUT is "), StartsWith("HTTP_MAX_REQUESTS_PER_CONNECTION is "),
          StartsWith("HTTP_MAX_CONNECTIONS is "),
          "TRUSTED_PROXIES has \"10.0.0.0/33\"; it should be networks such as 10.0.0.0/8, "
          "separated by commas",
          "CORS_ORIGINS has \"*\"; it should be origins as browsers send them, such as "
          "https://shop.example, separated by commas or spaces (never *)"));
}

}  // namespace
}  // namespace platform::service
