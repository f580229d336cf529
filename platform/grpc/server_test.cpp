#include "platform/grpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <fstream>
#include <functional>
#include <thread>

#include "platform/grpc/channel.h"
#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/echo.h"
#include "platform/grpc/testing/health.grpc.pb.h"

namespace platform::grpc {
namespace {

using ::grpc::StatusCode;
using testing::CallEcho;
using testing::CertificateSpec;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// Tries until `condition` holds; returns false after `limit`.
bool Eventually(const std::function<bool()>& condition, std::chrono::seconds limit = 10s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) {
      return true;
    }
    std::this_thread::sleep_for(20ms);
  }
  return false;
}

class ServerTest : public ::testing::Test {
 protected:
  explicit ServerTest(ServerOptions options = {}) : server_(WithFiles(std::move(options))) {}

  void SetUp() override { StartServer(); }

  void StartServer() {
    const std::array<::grpc::Service*, 1> services{&echo_};
    const auto started = server_.Start(services);
    ASSERT_TRUE(started) << started.error();
    port_ = *started;
  }

  std::shared_ptr<::grpc::Channel> Connect(const testing::TlsDirectory& directory,
                                           const std::string& host = "localhost") const {
    return MakeChannel({.host = host, .port = port_, .tls = directory.files()});
  }

  ServerOptions WithFiles(ServerOptions options) const {
    options.tls = server_files_.files();
    return options;
  }

  std::string Target() const { return "localhost:" + std::to_string(port_); }

  testing::EchoServer echo_;
  testing::Authority authority_;
  testing::Authority stranger_;
  testing::TlsDirectory server_files_{authority_.certificate(),
                                      authority_.Issue({.common_name = "first"})};
  testing::TlsDirectory client_files_{authority_.certificate(), authority_.Issue()};
  Server server_;
  std::uint16_t port_ = 0;
};

// --- Clients that are answered ------------------------------------------------------------------

TEST_F(ServerTest, AnswersAClientOfItsAuthority) {
  const ::grpc::Status status = CallEcho(Connect(client_files_));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(ServerTest, AnswersByAddressToo) {
  const ::grpc::Status status = CallEcho(Connect(client_files_, "127.0.0.1"));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(ServerTest, IgnoresAClientOfAnotherAuthority) {
  const testing::TlsDirectory files(authority_.certificate(), stranger_.Issue());
  EXPECT_EQ(CallEcho(Connect(files)).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(ServerTest, IgnoresAnExpiredClient) {
  const testing::TlsDirectory files(authority_.certificate(),
                                    authority_.Issue({.valid_until = -60s}));
  EXPECT_EQ(CallEcho(Connect(files)).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(ServerTest, IgnoresAClientWhoseTimeHasNotCome) {
  const testing::TlsDirectory files(authority_.certificate(),
                                    authority_.Issue({.valid_from = 1800s}));
  EXPECT_EQ(CallEcho(Connect(files)).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(ServerTest, IgnoresAClientWithoutCertificate) {
  ::grpc::SslCredentialsOptions options;
  options.pem_root_certs = authority_.certificate();
  const auto channel = ::grpc::CreateChannel(Target(), ::grpc::SslCredentials(options));
  EXPECT_EQ(CallEcho(channel).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(ServerTest, IgnoresAClientWithoutTls) {
  const auto channel = ::grpc::CreateChannel(Target(), ::grpc::InsecureChannelCredentials());
  EXPECT_EQ(CallEcho(channel).error_code(), StatusCode::UNAVAILABLE);
}

class ClientNamesTest : public ServerTest,
                        public ::testing::WithParamInterface<std::tuple<CertificateSpec, bool>> {
 protected:
  ClientNamesTest() : ServerTest(ServerOptions{.client_names = {"cart", "orders"}}) {}
};

TEST_P(ClientNamesTest, OnlyListedNamesAreAnswered) {
  const auto& [certificate, is_answered] = GetParam();
  const testing::TlsDirectory files(authority_.certificate(), authority_.Issue(certificate));
  const StatusCode expected = is_answered ? StatusCode::OK : StatusCode::UNAVAILABLE;
  EXPECT_EQ(CallEcho(Connect(files)).error_code(), expected);
}

INSTANTIATE_TEST_SUITE_P(
    Names, ClientNamesTest,
    ::testing::Values(
        std::tuple(CertificateSpec{.alternative_names = "DNS:cart"}, true),
        std::tuple(CertificateSpec{.alternative_names = "DNS:elsewhere,DNS:orders"}, true),
        std::tuple(CertificateSpec{.common_name = "cart", .alternative_names = "IP:10.0.0.1"},
                   true),
        // A common name is ignored if there are DNS names.
        std::tuple(CertificateSpec{.common_name = "cart", .alternative_names = "DNS:else"}, false),
        std::tuple(CertificateSpec{.common_name = "car", .alternative_names = "IP:10.0.0.1"},
                   false),
        std::tuple(CertificateSpec{.alternative_names = "DNS:cart.elsewhere.test"}, false),
        std::tuple(CertificateSpec{.alternative_names = "DNS:*"}, false),
        std::tuple(CertificateSpec{.alternative_names = "DNS:Cart"}, false)));

// --- Servers that are believed ------------------------------------------------------------------

TEST_F(ServerTest, ClientRefusesAServerOfAnotherAuthority) {
  // The server trusts this client, but the client does not trust the server.
  const testing::TlsDirectory files(stranger_.certificate(), authority_.Issue());
  EXPECT_EQ(CallEcho(Connect(files)).error_code(), StatusCode::UNAVAILABLE);
}

class ServerNamesTest : public ServerTest,
                        public ::testing::WithParamInterface<std::tuple<std::string, bool>> {
 protected:
  void SetUp() override {
    server_files_.SetIdentity(authority_.Issue(
        {.common_name = "localhost", .alternative_names = std::get<0>(GetParam())}));
    StartServer();
  }
};

TEST_P(ServerNamesTest, ClientAsksOnlyTheHostItMeant) {
  EXPECT_EQ(CallEcho(Connect(client_files_)).ok(), std::get<1>(GetParam()));
}

// A common name is ignored if there are alternative names.
INSTANTIATE_TEST_SUITE_P(Names, ServerNamesTest,
                         ::testing::Values(std::tuple("DNS:localhost", true),
                                           std::tuple("DNS:elsewhere.test", false),
                                           std::tuple("DNS:localhost.elsewhere.test", false),
                                           std::tuple("IP:127.0.0.1", false)));

TEST_F(ServerTest, ClientRefusesAnExpiredServer) {
  const testing::TlsDirectory files(authority_.certificate(),
                                    authority_.Issue({.valid_until = -60s}));
  Server expired({.tls = files.files()});
  const std::array<::grpc::Service*, 1> services{&echo_};
  port_ = expired.Start(services).value();
  EXPECT_EQ(CallEcho(Connect(client_files_)).error_code(), StatusCode::UNAVAILABLE);
}

// --- Changed certificates -----------------------------------------------------------------------

TEST_F(ServerTest, ServerPicksUpItsNewCertificate) {
  server_files_.SetIdentity(authority_.Issue({.common_name = "second"}));
  std::string name;
  EXPECT_TRUE(Eventually([&] {
    return CallEcho(Connect(client_files_), "hello", 2s, &name).ok() && name == "second";
  })) << name;
}

TEST_F(ServerTest, ServerPicksUpANewAuthority) {
  const testing::TlsDirectory files(authority_.certificate(), stranger_.Issue());
  ASSERT_FALSE(CallEcho(Connect(files)).ok());
  server_files_.SetCa(authority_.certificate() + stranger_.certificate());
  EXPECT_TRUE(Eventually([&] { return CallEcho(Connect(files)).ok(); }));
  server_files_.SetCa(stranger_.certificate());
  EXPECT_TRUE(Eventually([&] { return !CallEcho(Connect(client_files_)).ok(); }));
}

TEST_F(ServerTest, ClientPicksUpItsNewCertificate) {
  const testing::TlsDirectory files(authority_.certificate(),
                                    authority_.Issue({.valid_until = -60s}));
  const auto channel = Connect(files);
  ASSERT_FALSE(CallEcho(channel).ok());
  files.SetIdentity(authority_.Issue());
  EXPECT_TRUE(Eventually([&] { return CallEcho(channel).ok(); }));
}

TEST_F(ServerTest, AHalfWrittenChangeIsPassing) {
  const testing::KeyPair next = authority_.Issue({.common_name = "second"});
  std::ofstream(server_files_.files().key) << next.key;
  std::this_thread::sleep_for(1500ms);
  server_files_.SetIdentity(next);
  std::string name;
  EXPECT_TRUE(Eventually([&] {
    return CallEcho(Connect(client_files_), "hello", 2s, &name).ok() && name == "second";
  })) << name;
}

TEST_F(ServerTest, MissingFilesArePassing) {
  ASSERT_TRUE(CallEcho(Connect(client_files_)).ok());
  std::filesystem::remove(server_files_.files().certificate);
  std::filesystem::remove(server_files_.files().ca);
  std::this_thread::sleep_for(1500ms);
  EXPECT_EQ(CallEcho(Connect(testing::TlsDirectory(authority_.certificate(), stranger_.Issue())))
                .error_code(),
            StatusCode::UNAVAILABLE);
  server_files_.SetCa(authority_.certificate());
  server_files_.SetIdentity(authority_.Issue());
  EXPECT_TRUE(Eventually([&] { return CallEcho(Connect(client_files_)).ok(); }));
}

// --- Starting and stopping ----------------------------------------------------------------------

TEST_F(ServerTest, NamesABusyPort) {
  Server second({.port = port_, .tls = server_files_.files()});
  const std::array<::grpc::Service*, 1> services{&echo_};
  const auto started = second.Start(services);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(),
            "cannot listen on 127.0.0.1:" + std::to_string(port_) + ": Address already in use");
}

TEST_F(ServerTest, RefusesAnAddressThatIsNone) {
  Server server({.address = "nowhere", .tls = server_files_.files()});
  const auto started = server.Start({});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), "cannot listen on \"nowhere\": not an IP address");
}

TEST_F(ServerTest, RefusesUnusableFiles) {
  TlsFiles files = server_files_.files();
  files.key = "/nonexistent/key.pem";
  Server server({.tls = files});
  const auto started = server.Start({});
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error(), HasSubstr("/nonexistent/key.pem"));
}

TEST_F(ServerTest, ListensOnIpv6) {
  Server server({.address = "::1", .tls = server_files_.files()});
  const std::array<::grpc::Service*, 1> services{&echo_};
  const auto started = server.Start(services);
  if (!started && started.error().contains("Cannot assign requested address")) {
    GTEST_SKIP() << "no IPv6 here";
  }
  ASSERT_TRUE(started) << started.error();
  port_ = *started;
  const ::grpc::Status status = CallEcho(Connect(client_files_, "::1"));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(ServerTest, ClientRecoversSoonAfterARestart) {
  const auto channel = Connect(client_files_);
  ASSERT_TRUE(CallEcho(channel).ok());
  server_.Shutdown(0s);
  // Long enough for the pauses between attempts to reach their maximum.
  const auto down_until = std::chrono::steady_clock::now() + 3s;
  while (std::chrono::steady_clock::now() < down_until) {
    EXPECT_EQ(CallEcho(channel, "hello", 500ms).error_code(), StatusCode::UNAVAILABLE);
    std::this_thread::sleep_for(50ms);
  }
  Server again({.port = port_, .tls = server_files_.files()});
  const std::array<::grpc::Service*, 1> services{&echo_};
  ASSERT_TRUE(again.Start(services));
  EXPECT_TRUE(Eventually([&] { return CallEcho(channel, "hello", 500ms).ok(); }, 2s));
}

TEST_F(ServerTest, EachChannelHasAConnectionOfItsOwn) {
  const auto first = Connect(client_files_);
  const auto second = Connect(client_files_);
  ASSERT_TRUE(CallEcho(first).ok());
  EXPECT_EQ(first->GetState(false), GRPC_CHANNEL_READY);
  EXPECT_NE(second->GetState(false), GRPC_CHANNEL_READY);
}

TEST_F(ServerTest, CancelsOpenCallsAfterTheGrace) {
  const auto channel = Connect(client_files_);
  ASSERT_TRUE(CallEcho(channel).ok());
  const auto stub = testing::EchoService::NewStub(channel);
  ::grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 20s);
  testing::EchoRequest request;
  request.set_silent(true);
  testing::EchoReply reply;
  ::grpc::Status status;
  std::jthread caller([&] { status = stub->Echo(&context, request, &reply); });
  std::this_thread::sleep_for(200ms);
  const auto start = std::chrono::steady_clock::now();
  server_.Shutdown(300ms);
  const auto took = std::chrono::steady_clock::now() - start;
  caller.join();
  EXPECT_GE(took, 250ms);
  EXPECT_LT(took, 5s);
  EXPECT_FALSE(status.ok());
}

// --- Limits -------------------------------------------------------------------------------------

TEST_F(ServerTest, RefusesAMessageOverTheLimit) {
  const auto channel = MakeChannel({.host = "localhost",
                                    .port = port_,
                                    .tls = client_files_.files(),
                                    .max_message_bytes = 4 << 20});
  EXPECT_TRUE(CallEcho(channel, std::string((1 << 20) - 64, 'x')).ok());
  EXPECT_EQ(CallEcho(channel, std::string((1 << 20) + 1, 'x')).error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ServerTest, ClosesAConnectionThatNeverShakesHands) {
  Server server({.tls = server_files_.files(), .handshake_timeout = 300ms});
  const std::array<::grpc::Service*, 1> services{&echo_};
  const auto port = server.Start(services).value();
  boost::asio::io_context io;
  boost::asio::ip::tcp::socket socket(io);
  socket.connect({boost::asio::ip::address_v4::loopback(), port});
  const auto start = std::chrono::steady_clock::now();
  std::array<char, 64> buffer{};
  boost::system::error_code error;
  boost::asio::read(socket, boost::asio::buffer(buffer), error);
  EXPECT_TRUE(error);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
}

// Returns a connection from this loopback address that sends nothing.
boost::asio::ip::tcp::socket ConnectSilently(boost::asio::io_context& io, std::uint16_t port,
                                             const char* from) {
  boost::asio::ip::tcp::socket socket(io);
  socket.open(boost::asio::ip::tcp::v4());
  socket.bind({boost::asio::ip::make_address(from), 0});
  socket.connect({boost::asio::ip::address_v4::loopback(), port});
  return socket;
}

bool IsClosed(boost::asio::ip::tcp::socket& socket) {
  boost::system::error_code error;
  std::array<char, 64> buffer{};
  socket.non_blocking(true);
  socket.read_some(boost::asio::buffer(buffer), error);
  return error != boost::asio::error::would_block;
}

TEST_F(ServerTest, LimitsConnectionsBeforeTheirHandshake) {
  Server server({.tls = server_files_.files(),
                 .handshake_timeout = 60s,
                 .max_connections = 5,
                 .max_connections_per_client = 3});
  const std::array<::grpc::Service*, 1> services{&echo_};
  port_ = server.Start(services).value();
  boost::asio::io_context io;
  std::vector<boost::asio::ip::tcp::socket> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(ConnectSilently(io, port_, "127.0.0.2"));
  for (std::size_t i = 3; i < silent.size(); ++i) {
    EXPECT_TRUE(Eventually([&] { return IsClosed(silent[i]); }));
  }
  for (std::size_t i = 0; i < 3; ++i) EXPECT_FALSE(IsClosed(silent[i]));

  // Another client has room, as long as there is any.
  const auto channel = Connect(client_files_);
  EXPECT_TRUE(CallEcho(channel).ok());
  auto fifth = ConnectSilently(io, port_, "127.0.0.3");
  auto sixth = ConnectSilently(io, port_, "127.0.0.4");
  EXPECT_TRUE(Eventually([&] { return IsClosed(sixth); }));
  EXPECT_FALSE(IsClosed(fifth));
  EXPECT_TRUE(CallEcho(channel).ok());

  // A connection that is closed leaves its place to another one.
  silent.clear();
  EXPECT_TRUE(Eventually([&] { return CallEcho(Connect(client_files_)).ok(); }));
}

// --- Health -------------------------------------------------------------------------------------

TEST_F(ServerTest, TellsItsHealth) {
  using ::grpc::health::v1::HealthCheckResponse;
  const auto stub = ::grpc::health::v1::Health::NewStub(Connect(client_files_));
  const auto check = [&] {
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 2s);
    HealthCheckResponse response;
    const ::grpc::Status status = stub->Check(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  };
  EXPECT_EQ(check(), HealthCheckResponse::SERVING);
  server_.SetServing(false);
  EXPECT_EQ(check(), HealthCheckResponse::NOT_SERVING);
  server_.SetServing(true);
  EXPECT_EQ(check(), HealthCheckResponse::SERVING);
}

}  // namespace
}  // namespace platform::grpc
