#include "platform/grpc/replicas.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "platform/grpc/server.h"
#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/echo.h"

namespace platform::grpc {
namespace {

using namespace std::chrono_literals;

class ReplicasTest : public ::testing::Test {
 protected:
  // Starts a replica, whose certificate has this common name.
  Server& Start(const std::string& name, ServerOptions options = {}) {
    testing::TlsDirectory& files =
        files_.emplace_back(authority_.certificate(), authority_.Issue({.common_name = name}));
    options.tls = files.files();
    Server& server = servers_.emplace_back(std::move(options));
    const std::array<::grpc::Service*, 1> services{&echo_};
    const auto port = server.Start(services);
    EXPECT_TRUE(port) << port.error();
    port_ = port.value_or(0);
    return server;
  }

  // Makes a call and returns the name of the replica that has answered; empty if none has.
  static std::string Call(Replicas<testing::EchoService>& replicas) {
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 2s);
    testing::EchoReply reply;
    if (!replicas.Next().Echo(&context, {}, &reply).ok()) return {};
    const auto names = context.auth_context()->FindPropertyValues("x509_common_name");
    return names.empty() ? "" : std::string(names.front().data(), names.front().size());
  }

  // Calls until each of these has answered.
  static void CallUntil(Replicas<testing::EchoService>& replicas, std::set<std::string> names) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!names.empty()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << *names.begin();
      names.erase(Call(replicas));
    }
  }

  // Returns how many of `calls` calls each has answered.
  static std::map<std::string, int> Shares(Replicas<testing::EchoService>& replicas, int calls) {
    std::map<std::string, int> shares;
    for (int call = 0; call < calls; ++call) ++shares[Call(replicas)];
    return shares;
  }

  testing::EchoServer echo_;
  testing::Authority authority_;
  testing::TlsDirectory client_files_{authority_.certificate(), authority_.Issue()};
  std::list<testing::TlsDirectory> files_;
  std::list<Server> servers_;
  std::uint16_t port_ = 0;  // Of the latest replica.
};

TEST_F(ReplicasTest, HostsTakeTurns) {
  std::vector<HostAndPort> hosts;
  for (const char* name : {"a", "b", "c"}) {
    Start(name);
    hosts.push_back({.host = "127.0.0.1", .port = port_});
  }
  Replicas<testing::EchoService> replicas(hosts, {.tls = client_files_.files()});
  CallUntil(replicas, {"a", "b", "c"});
  EXPECT_EQ(Shares(replicas, 30), (std::map<std::string, int>{{"a", 10}, {"b", 10}, {"c", 10}}));
}

TEST_F(ReplicasTest, AddressesOfANameTakeTurns) {
  Start("four", {.address = "127.0.0.1"});
  Start("six", {.address = "::1", .port = port_});
  Replicas<testing::EchoService> replicas({{.host = "localhost", .port = port_}},
                                          {.tls = client_files_.files()});
  CallUntil(replicas, {"four", "six"});
  EXPECT_EQ(Shares(replicas, 20), (std::map<std::string, int>{{"four", 10}, {"six", 10}}));
}

TEST_F(ReplicasTest, AHostThatIsAwayIsPassedOver) {
  std::vector<HostAndPort> hosts;
  for (const char* name : {"a", "b", "c"}) {
    Start(name);
    hosts.push_back({.host = "127.0.0.1", .port = port_});
  }
  servers_.front().Shutdown(0ms);
  Replicas<testing::EchoService> replicas(hosts, {.tls = client_files_.files()});
  CallUntil(replicas, {"b", "c"});
  EXPECT_TRUE(replicas.IsConnected());
  EXPECT_EQ(Shares(replicas, 20), (std::map<std::string, int>{{"b", 10}, {"c", 10}}));
}

TEST_F(ReplicasTest, WithoutAnyHostNoneIsConnected) {
  Start("a");
  servers_.front().Shutdown(0ms);
  Replicas<testing::EchoService> replicas(
      {{.host = "127.0.0.1", .port = port_}, {.host = "localhost", .port = port_}},
      {.tls = client_files_.files()});
  EXPECT_EQ(Shares(replicas, 5), (std::map<std::string, int>{{"", 5}}));
  EXPECT_FALSE(replicas.IsConnected());
}

TEST_F(ReplicasTest, AReplicaWhoseCertificateIsForAnotherHostIsNotUsed) {
  Start("a");
  const HostAndPort right{.host = "127.0.0.1", .port = port_};
  testing::TlsDirectory& files = files_.emplace_back(
      authority_.certificate(),
      authority_.Issue({.common_name = "b", .alternative_names = "DNS:elsewhere"}));
  Server& server = servers_.emplace_back(ServerOptions{.tls = files.files()});
  const std::array<::grpc::Service*, 1> services{&echo_};
  const auto port = server.Start(services);
  ASSERT_TRUE(port);
  Replicas<testing::EchoService> replicas({right, {.host = "127.0.0.1", .port = *port}},
                                          {.tls = client_files_.files()});
  CallUntil(replicas, {"a"});
  EXPECT_EQ(Shares(replicas, 20), (std::map<std::string, int>{{"a", 20}}));
}

TEST_F(ReplicasTest, AConnectionThatReachesItsAgeCostsNoCall) {
  Start("a", {.max_connection_age = 50ms, .max_connection_age_grace = 1000ms});
  Replicas<testing::EchoService> replicas({{.host = "127.0.0.1", .port = port_}},
                                          {.tls = client_files_.files()});
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (echo_.clients().size() < 5) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    ASSERT_EQ(Call(replicas), "a");
  }
}

}  // namespace
}  // namespace platform::grpc
