#include "platform/service/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "platform/http/testing/raw_client.h"
#include "platform/http/testing/running_server.h"
#include "platform/service/healthcheck.h"

namespace platform::service {
namespace {

using http::testing::RawClient;
using http::testing::RunningServer;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct App {
  Task<std::vector<Dependency>> CheckReadiness() {
    co_return std::vector<Dependency>{{"database", is_ready}};
  }
  bool is_ready = true;
};

class HealthTest : public ::testing::Test {
 protected:
  HealthTest() { AddHealthRoutes(routes_); }

  std::unique_ptr<RunningServer> Serve() {
    return std::make_unique<RunningServer>(
        [this](const http::Request& request) { return routes_.Dispatch(app_, request); });
  }

  http::Router<App> routes_;
  App app_;
};

TEST(ReadinessResponse, NamesEachDependency) {
  const http::Response ready = ReadinessResponse({{"database", true}, {"customers", true}});
  EXPECT_EQ(ready.status, 200U);
  EXPECT_EQ(ready.body, R"({"data":{"ready":true,"database":true,"customers":true}})");

  const http::Response unready = ReadinessResponse({{"database", true}, {"customers", false}});
  EXPECT_EQ(unready.status, 503U);
  EXPECT_EQ(unready.body, R"({"data":{"ready":false,"database":true,"customers":false}})");
}

TEST(ReadinessResponse, IsReadyWithoutDependencies) {
  EXPECT_EQ(ReadinessResponse({}).body, R"({"data":{"ready":true}})");
}

TEST_F(HealthTest, IsAliveWhetherReadyOrNot) {
  app_.is_ready = false;
  const auto server = Serve();
  RawClient client(server->port());
  const auto alive = client.Ask("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(alive.status, 200);
  EXPECT_EQ(alive.body, R"({"data":{"alive":true}})");
  EXPECT_EQ(client.Ask("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").status, 503);
}

TEST_F(HealthTest, AsksAReadyService) {
  const auto server = Serve();
  EXPECT_TRUE(AskReadiness("127.0.0.1", server->port()));
  EXPECT_TRUE(AskReadiness("0.0.0.0", server->port()));  // As it listens everywhere, here too.
}

TEST_F(HealthTest, TellsWhatIsNotReady) {
  app_.is_ready = false;
  const auto server = Serve();
  const auto answer = AskReadiness("127.0.0.1", server->port());
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error(), StartsWith("not ready: 503"));
  EXPECT_THAT(answer.error(), HasSubstr("database"));
}

TEST_F(HealthTest, TellsThatNobodyAnswers) {
  auto server = Serve();
  const std::uint16_t port = server->port();
  server.reset();
  const auto answer = AskReadiness("127.0.0.1", port);
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error(),
              StartsWith("no answer from port " + std::to_string(port) + ": Connection refused"));
}

TEST_F(HealthTest, DoesNotWaitForEver) {
  const auto server = Serve();
  server->Block(std::chrono::milliseconds(1000));
  const auto began = std::chrono::steady_clock::now();
  const auto answer = AskReadiness("127.0.0.1", server->port(), std::chrono::milliseconds(100));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(900));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error(), HasSubstr("no answer"));
}

TEST(AskReadiness, NeedsAnAddress) {
  const auto answer = AskReadiness("localhost", 1);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error(), "\"localhost\" is not an IP address");
}

}  // namespace
}  // namespace platform::service
