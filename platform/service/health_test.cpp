#include "platform/service/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "platform/http/testing/raw_client.h"
#include "platform/http/testing/running_server.h"
#include "platform/log/log.h"
#include "platform/service/healthcheck.h"

namespace platform::service {
namespace {

using http::testing::RawClient;
using http::testing::RunningServer;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct App {
  Readiness& readiness;
};

class HealthTest : public ::testing::Test {
 protected:
  HealthTest() { AddHealthRoutes(routes_); }

  std::unique_ptr<RunningServer> Serve() {
    return std::make_unique<RunningServer>(
        [this](const http::Request& request) { return routes_.Dispatch(app_, request); });
  }

  http::Router<App> routes_;
  Readiness readiness_{1};
  App app_{readiness_};
};

TEST(Readiness, NamesEachDependency) {
  Readiness readiness(1);
  EXPECT_EQ(readiness.ToResponse().status, 503U) << "nothing is known yet";
  readiness.Report(0, {{"database", true}, {"customers", false}});
  EXPECT_EQ(readiness.ToResponse().status, 503U);
  EXPECT_EQ(readiness.ToResponse().body,
            R"({"data":{"ready":false,"database":true,"customers":false}})");
  readiness.Report(0, {{"database", true}, {"customers", true}});
  EXPECT_EQ(readiness.ToResponse().status, 200U);
  EXPECT_EQ(readiness.ToResponse().body,
            R"({"data":{"ready":true,"database":true,"customers":true}})");
}

TEST(Readiness, TellsEachChangeOnce) {
  Readiness readiness(2);
  std::vector<bool> told;
  readiness.OnChange([&](bool is_ready) { told.push_back(is_ready); });
  EXPECT_THAT(told, ::testing::ElementsAre(false));
  readiness.Report(0, {{"database", true}});
  EXPECT_THAT(told, ::testing::ElementsAre(false)) << "one worker has not reported yet";
  readiness.Report(1, {{"database", true}});
  readiness.Report(0, {{"database", true}});
  EXPECT_THAT(told, ::testing::ElementsAre(false, true));
  readiness.Report(0, {{"database", false}});
  readiness.Report(1, {{"database", false}});
  readiness.Report(0, {{"database", true}});
  EXPECT_THAT(told, ::testing::ElementsAre(false, true, false));
  readiness.Report(1, {{"database", true}});
  readiness.Stop();
  readiness.Report(0, {{"database", true}});
  EXPECT_THAT(told, ::testing::ElementsAre(false, true, false, true, false));
}

TEST(Readiness, IsReportedAsGauges) {
  Readiness readiness(1);
  const auto text = [&] {
    telemetry::Report report;
    readiness.ReportTo(report);
    return report.Text();
  };
  EXPECT_THAT(text(), HasSubstr("service_ready 0\n"));
  readiness.Report(0, {{"database", true}, {"customers", false}});
  EXPECT_THAT(text(), HasSubstr("service_ready 0\n"));
  EXPECT_THAT(text(), HasSubstr("service_dependency_ready{dependency=\"customers\"} 0\n"));
  EXPECT_THAT(text(), HasSubstr("service_dependency_ready{dependency=\"database\"} 1\n"));
  readiness.Report(0, {{"database", true}, {"customers", true}});
  EXPECT_THAT(text(), HasSubstr("service_ready 1\n"));
}

TEST(Readiness, SpeaksForAllWorkers) {
  Readiness readiness(2);
  readiness.Report(0, {{"database", true}});
  EXPECT_EQ(readiness.ToResponse().status, 503U) << "the other worker has not reported";
  readiness.Report(1, {{"database", false}});
  EXPECT_EQ(readiness.ToResponse().body, R"({"data":{"ready":false,"database":false}})");
  readiness.Report(1, {{"database", true}});
  EXPECT_EQ(readiness.ToResponse().status, 200U);
}

TEST(Readiness, AStoppingServiceIsNotReady) {
  Readiness readiness(1);
  readiness.Report(0, {{"database", true}});
  readiness.Stop();
  EXPECT_EQ(readiness.ToResponse().body, R"({"data":{"ready":false,"database":true}})");
}

TEST(Readiness, LogsWhatItWaitsForOnceAChange) {
  log::Flush();  // Writes the lines of other tests.
  ::testing::internal::CaptureStdout();
  Readiness readiness(1);
  for (int i = 0; i < 3; ++i) readiness.Report(0, {{"database", false}, {"customers", false}});
  for (int i = 0; i < 3; ++i) readiness.Report(0, {{"database", true}, {"customers", true}});
  log::Flush();
  const std::string logged = ::testing::internal::GetCapturedStdout();
  EXPECT_THAT(logged, HasSubstr(R"("waiting_for":"database, customers")"));
  EXPECT_EQ(std::ranges::count(logged, '\n'), 2) << logged;
}

struct ImpatientApp {
  Task<std::vector<Dependency>> CheckReadiness() {
    co_return std::vector<Dependency>{{"database", ++checks > 2}};
  }
  int checks = 0;
};

TEST(WatchReadiness, ChecksUntilReady) {
  boost::asio::io_context loop;
  ImpatientApp app;
  Readiness readiness(1);
  boost::asio::co_spawn(loop, WatchReadiness(app, readiness, 0), boost::asio::detached);
  loop.run_for(kUnreadyPeriod * 5);
  EXPECT_EQ(readiness.ToResponse().status, 200U);
}

struct BrokenApp {
  Task<std::vector<Dependency>> CheckReadiness() {
    if (++checks == 2) throw std::runtime_error("out of luck");
    co_return std::vector<Dependency>{{"database", true}};
  }
  int checks = 0;
};

TEST(WatchReadiness, GoesOnAfterACheckThatThrows) {
  log::Flush();
  ::testing::internal::CaptureStdout();
  boost::asio::io_context loop;
  BrokenApp app;
  Readiness readiness(1);
  boost::asio::co_spawn(loop, WatchReadiness(app, readiness, 0), boost::asio::detached);
  std::vector<std::string> bodies;
  while (app.checks < 3 && loop.run_one_for(kReadyPeriod * 3) > 0) {
    if (const std::string body = readiness.ToResponse().body;
        bodies.empty() || bodies.back() != body) {
      bodies.push_back(body);
    }
  }
  log::Flush();
  const std::string logged = ::testing::internal::GetCapturedStdout();
  EXPECT_THAT(bodies, ::testing::ElementsAre(R"({"data":{"ready":true,"database":true}})",
                                             R"({"data":{"ready":false,"check":false}})",
                                             R"({"data":{"ready":true,"database":true}})"));
  EXPECT_THAT(logged, HasSubstr(R"("message":"readiness check failed","error":"out of luck")"));
}

TEST_F(HealthTest, IsAliveWhetherReadyOrNot) {
  readiness_.Report(0, {{"database", false}});
  const auto server = Serve();
  RawClient client(server->port());
  const auto alive = client.Ask("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(alive.status, 200);
  EXPECT_EQ(alive.body, R"({"data":{"alive":true}})");
  EXPECT_EQ(client.Ask("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").status, 503);
}

TEST_F(HealthTest, AsksAReadyService) {
  readiness_.Report(0, {{"database", true}});
  const auto server = Serve();
  EXPECT_TRUE(AskReadiness("127.0.0.1", server->port()));
  EXPECT_TRUE(
      AskReadiness("0.0.0.0", server->port()));  // It listens on every address, so also here.
}

TEST_F(HealthTest, TellsWhatIsNotReady) {
  readiness_.Report(0, {{"database", false}});
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
