#include "platform/grpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <thread>

#include "platform/grpc/health.grpc.pb.h"
#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/echo.h"
#include "platform/grpc/testing/grpc_peers.h"

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

// A worker like a service's: an event loop with a thread.
class Worker {
 public:
  Worker() = default;
  ~Worker() {
    io_.stop();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  boost::asio::any_io_executor executor() { return io_.get_executor(); }

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::thread thread_{[this] { io_.run(); }};
};

// Our server, and clients of gRPC's own library.
class ServerTest : public ::testing::Test {
 protected:
  explicit ServerTest(ServerOptions options = {}) : options_(std::move(options)) {}

  ~ServerTest() override {
    if (server_) server_->Shutdown(0ms);
  }

  void SetUp() override { StartServer(); }

  void StartServer() {
    ServerOptions options = options_;
    options.port = port_;
    options.tls = server_files_.files();
    server_.emplace(options, Executors());
    const auto started = server_->Start(EchoMethods());
    ASSERT_TRUE(started) << started.error();
    port_ = *started;
  }

  std::vector<boost::asio::any_io_executor> Executors() {
    return {workers_[0].executor(), workers_[1].executor()};
  }

  std::vector<Method> EchoMethods() { return testing::EchoMethods(counts_, max_calls_); }

  std::shared_ptr<::grpc::Channel> Connect(const testing::TlsDirectory& directory,
                                           const std::string& host = "localhost") const {
    return testing::MakeGrpcChannel(host, port_, directory.files());
  }

  std::string Target() const { return "localhost:" + std::to_string(port_); }

  std::size_t max_calls_ = 1000;
  testing::EchoCounts counts_;
  testing::Authority authority_;
  testing::Authority stranger_;
  testing::TlsDirectory server_files_{authority_.certificate(),
                                      authority_.Issue({.common_name = "first"})};
  testing::TlsDirectory client_files_{authority_.certificate(), authority_.Issue()};
  ServerOptions options_;
  std::uint16_t port_ = 0;
  std::array<Worker, 2> workers_;
  std::optional<Server> server_;
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
  Server second({.port = port_, .tls = server_files_.files()}, Executors());
  const auto started = second.Start(EchoMethods());
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(),
            "cannot listen on 127.0.0.1:" + std::to_string(port_) + ": Address already in use");
}

TEST_F(ServerTest, RefusesAnAddressThatIsNone) {
  Server server({.address = "nowhere", .tls = server_files_.files()}, Executors());
  const auto started = server.Start({});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), "cannot listen on \"nowhere\": not an IP address");
}

TEST_F(ServerTest, RefusesUnusableFiles) {
  TlsFiles files = server_files_.files();
  files.key = "/nonexistent/key.pem";
  Server server({.tls = files}, Executors());
  const auto started = server.Start({});
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error(), HasSubstr("/nonexistent/key.pem"));
}

TEST_F(ServerTest, ListensOnIpv6) {
  server_->Shutdown(0ms);
  server_.emplace(ServerOptions{.address = "::1", .tls = server_files_.files()}, Executors());
  const auto started = server_->Start(EchoMethods());
  if (!started && started.error().contains("Cannot assign requested address")) {
    GTEST_SKIP() << "no IPv6 here";
  }
  ASSERT_TRUE(started) << started.error();
  port_ = *started;
  const ::grpc::Status status = CallEcho(Connect(client_files_, "::1"));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(ServerTest, StartsAgainOnItsPort) {
  const auto channel = Connect(client_files_);
  ASSERT_TRUE(CallEcho(channel).ok());
  server_->Shutdown(0ms);
  EXPECT_EQ(CallEcho(channel).error_code(), StatusCode::UNAVAILABLE);
  StartServer();
  EXPECT_TRUE(Eventually([&] { return CallEcho(channel).ok(); }));
}

// A call whose handler does not answer.
class SilentCall {
 public:
  explicit SilentCall(const std::shared_ptr<::grpc::Channel>& channel)
      : stub_(testing::EchoService::NewStub(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + 20s);
    request_.set_silent(true);
    caller_ = std::jthread([this] { status_ = stub_->Echo(&context_, request_, &reply_); });
  }

  void Cancel() { context_.TryCancel(); }
  ::grpc::Status Wait() {
    caller_.join();
    return status_;
  }

 private:
  std::unique_ptr<testing::EchoService::Stub> stub_;
  ::grpc::ClientContext context_;
  testing::EchoRequest request_;
  testing::EchoReply reply_;
  ::grpc::Status status_;
  std::jthread caller_;
};

TEST_F(ServerTest, CancelsOpenCallsAfterTheGrace) {
  SilentCall call(Connect(client_files_));
  ASSERT_TRUE(Eventually([&] { return counts_.open == 1; }));
  const auto start = std::chrono::steady_clock::now();
  server_->Shutdown(300ms);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 290ms);
  EXPECT_EQ(call.Wait().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Eventually([&] { return counts_.open == 0; }));
}

TEST_F(ServerTest, FinishesOpenCallsWithinTheGrace) {
  const auto stub = testing::EchoService::NewStub(Connect(client_files_));
  ::grpc::ClientContext context;
  testing::EchoRequest request;
  request.set_times(1);
  request.set_silent(true);
  const auto stream = stub->Repeat(&context, request);
  testing::EchoReply reply;
  ASSERT_TRUE(stream->Read(&reply));
  server_->Shutdown(1h);
  EXPECT_FALSE(stream->Read(&reply));
  const ::grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "Shutting down");
}

// --- Calls --------------------------------------------------------------------------------------

TEST_F(ServerTest, SendsTheHandlersStatus) {
  const auto stub = testing::EchoService::NewStub(Connect(client_files_));
  testing::EchoRequest request;
  request.set_fail_with(StatusCode::ABORTED);
  ::grpc::ClientContext context;
  testing::EchoReply reply;
  const ::grpc::Status status = stub->Echo(&context, request, &reply);
  EXPECT_EQ(status.error_code(), StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "failed as asked");
}

TEST_F(ServerTest, AnExceptionOfAHandlerShowsNoDetails) {
  const ::grpc::Status status = CallEcho(Connect(client_files_), "throw");
  EXPECT_EQ(status.error_code(), StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), "Internal error");
}

TEST_F(ServerTest, HandsMetadataOver) {
  const auto stub = testing::EchoService::NewStub(Connect(client_files_));
  ::grpc::ClientContext context;
  context.AddMetadata("x-test", "a value");
  testing::EchoRequest request;
  request.set_text("metadata");
  testing::EchoReply reply;
  EXPECT_TRUE(stub->Echo(&context, request, &reply).ok());
  EXPECT_EQ(reply.text(), "a value");
}

TEST_F(ServerTest, DoesNotKnowOtherMethods) {
  ::grpc::GenericStub stub(Connect(client_files_));
  ::grpc::ClientContext context;
  const ::grpc::Slice empty;
  ::grpc::ByteBuffer request(&empty, 1);
  ::grpc::ByteBuffer reply;
  std::promise<::grpc::Status> ended;
  stub.UnaryCall(&context, "/platform.grpc.testing.EchoService/Nothing", {}, &request, &reply,
                 [&](const ::grpc::Status& status) { ended.set_value(status); });
  EXPECT_EQ(ended.get_future().get().error_code(), StatusCode::UNIMPLEMENTED);
}

TEST_F(ServerTest, ManyCallsEachGetTheirOwnAnswer) {
  constexpr int kThreads = 16;
  constexpr int kCalls = 200;
  const auto channel = Connect(client_files_);
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> callers;
    for (int thread = 0; thread < kThreads; ++thread) {
      callers.emplace_back([&, thread] {
        for (int i = 0; i < kCalls; ++i) {
          const std::string text = std::to_string(thread) + "/" + std::to_string(i);
          good += CallEcho(channel, text, 20s).ok() ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(good, std::int64_t{kThreads} * kCalls);
}

TEST_F(ServerTest, ACancelledCallEndsItsHandler) {
  const auto channel = Connect(client_files_);
  SilentCall call(channel);
  ASSERT_TRUE(Eventually([&] { return counts_.open == 1; }));
  call.Cancel();
  EXPECT_TRUE(Eventually([&] { return counts_.open == 0; }));
  EXPECT_EQ(call.Wait().error_code(), StatusCode::CANCELLED);
  EXPECT_TRUE(CallEcho(channel).ok());
}

TEST_F(ServerTest, ACallWhoseDeadlinePassesEndsItsHandler) {
  const auto stub = testing::EchoService::NewStub(Connect(client_files_));
  ::grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 500ms);
  testing::EchoRequest request;
  request.set_silent(true);
  testing::EchoReply reply;
  EXPECT_EQ(stub->Echo(&context, request, &reply).error_code(), StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(Eventually([&] { return counts_.open == 0; }));
}

TEST_F(ServerTest, AStreamWaitsForASlowReader) {
  const auto stub = testing::EchoService::NewStub(Connect(client_files_));
  ::grpc::ClientContext context;
  testing::EchoRequest request;
  request.set_text(std::string(10'000, 'x'));
  request.set_times(2000);
  const auto stream = stub->Repeat(&context, request);
  testing::EchoReply reply;
  ASSERT_TRUE(stream->Read(&reply));
  int before = -1;
  while (std::exchange(before, counts_.sent.load()) != counts_.sent) {
    std::this_thread::sleep_for(300ms);
  }
  EXPECT_LT(counts_.sent, 2000);
  int received = 1;
  while (stream->Read(&reply)) ++received;
  EXPECT_EQ(received, 2000);
  EXPECT_TRUE(stream->Finish().ok());
}

// --- Limits -------------------------------------------------------------------------------------

TEST_F(ServerTest, RefusesAMessageOverTheLimit) {
  const auto channel = Connect(client_files_);
  EXPECT_TRUE(CallEcho(channel, std::string((1 << 20) - 64, 'x')).ok());
  EXPECT_EQ(CallEcho(channel, std::string((1 << 20) + 1, 'x')).error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(CallEcho(channel).ok());
}

TEST_F(ServerTest, RefusesMessagesOverTheBudget) {
  server_->Shutdown(0ms);
  options_.max_received_bytes = 100'000;
  StartServer();
  const auto channel = Connect(client_files_);
  EXPECT_EQ(CallEcho(channel, std::string(200'000, 'x')).error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
  // What was refused no longer counts.
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(CallEcho(channel, std::string(40'000, 'x')).ok());
}

TEST_F(ServerTest, RefusesCallsOverTheLimitUntilOneEnds) {
  server_->Shutdown(0ms);
  max_calls_ = 1;
  StartServer();
  const auto channel = Connect(client_files_);
  SilentCall call(channel);
  ASSERT_TRUE(Eventually([&] { return counts_.open == 1; }));
  EXPECT_EQ(CallEcho(channel).error_code(), StatusCode::RESOURCE_EXHAUSTED);
  call.Cancel();
  EXPECT_TRUE(Eventually([&] { return CallEcho(channel).ok(); }));
  call.Wait();
}

TEST_F(ServerTest, RefusesTooLargeHeaders) {
  const auto stub = testing::EchoService::NewStub(Connect(client_files_));
  ::grpc::ClientContext context;
  context.AddMetadata("x-test", std::string(30'000, 'x'));
  testing::EchoReply reply;
  EXPECT_FALSE(stub->Echo(&context, {}, &reply).ok());
  EXPECT_EQ(counts_.open, 0);
}

TEST_F(ServerTest, ClosesAConnectionThatNeverShakesHands) {
  server_->Shutdown(0ms);
  options_.handshake_timeout = 300ms;
  StartServer();
  boost::asio::io_context io;
  boost::asio::ip::tcp::socket socket(io);
  socket.connect({boost::asio::ip::address_v4::loopback(), port_});
  std::array<char, 64> buffer{};
  boost::system::error_code error;
  boost::asio::read(socket, boost::asio::buffer(buffer), error);
  EXPECT_TRUE(error);
}

// A client that speaks TLS and then sends what it likes.
class RawClient {
 public:
  RawClient(const TlsFiles& files, std::uint16_t port) {
    context_.load_verify_file(files.ca.string());
    context_.use_certificate_chain_file(files.certificate.string());
    context_.use_private_key_file(files.key.string(), boost::asio::ssl::context::pem);
    constexpr std::array<unsigned char, 3> kProtocols = {2, 'h', '2'};
    SSL_set_alpn_protos(stream_.native_handle(), kProtocols.data(), kProtocols.size());
    stream_.next_layer().connect({boost::asio::ip::address_v4::loopback(), port});
    stream_.handshake(boost::asio::ssl::stream_base::client);
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    SendFrame(4, 0, 0, "");
  }

  void Send(std::string_view bytes) {
    boost::system::error_code ignored;
    boost::asio::write(stream_, boost::asio::buffer(bytes), ignored);
  }

  void SendFrame(char type, char flags, std::uint32_t stream, std::string_view payload) {
    Send(Frame(type, flags, stream, payload));
  }

  static std::string Frame(char type, char flags, std::uint32_t stream, std::string_view payload) {
    std::string frame;
    for (int shift = 16; shift >= 0; shift -= 8) {
      frame += static_cast<char>(payload.size() >> shift & 0xFF);
    }
    frame += {type, flags};
    for (int shift = 24; shift >= 0; shift -= 8) {
      frame += static_cast<char>(stream >> shift & 0xFF);
    }
    return frame.append(payload);
  }

  // Returns whether the server ends the connection.
  bool IsEnded() {
    std::array<char, 4096> buffer{};
    boost::system::error_code error;
    while (!error) stream_.read_some(boost::asio::buffer(buffer), error);
    return true;
  }

 private:
  boost::asio::io_context io_;
  boost::asio::ssl::context context_{boost::asio::ssl::context::tls_client};
  boost::asio::ssl::stream<boost::asio::ip::tcp::socket> stream_{io_, context_};
};

struct Malformed {
  std::string label;
  std::function<void(RawClient&)> send;
};

class MalformedTest : public ServerTest, public ::testing::WithParamInterface<Malformed> {};

TEST_P(MalformedTest, EndsTheConnectionAndServesOthers) {
  const auto other = Connect(client_files_);
  ASSERT_TRUE(CallEcho(other).ok());
  RawClient client(client_files_.files(), port_);
  GetParam().send(client);
  EXPECT_TRUE(client.IsEnded());
  EXPECT_TRUE(CallEcho(other).ok());
  EXPECT_TRUE(CallEcho(Connect(client_files_)).ok());
}

// A request's header block without compression: POST, https, a path, and a type.
std::string Request(std::string_view path = testing::kEcho) {
  std::string block = {'\x83', '\x87', '\x04', static_cast<char>(path.size())};
  block += path;
  block += {'\x0f', '\x10', 16};
  return block + "application/grpc";
}

INSTANTIATE_TEST_SUITE_P(
    Frames, MalformedTest,
    ::testing::Values(
        Malformed{"data without a stream",
                  [](RawClient& client) { client.SendFrame(0, 1, 1, "hello"); }},
        Malformed{"an even stream",
                  [](RawClient& client) { client.SendFrame(1, 5, 2, Request()); }},
        Malformed{"headers that cannot be decoded",
                  [](RawClient& client) { client.SendFrame(1, 5, 1, "\xff\xff\xff\xff\xff\xff"); }},
        Malformed{"a frame over the limit",
                  [](RawClient& client) { client.SendFrame(0, 0, 1, std::string(20'000, 'x')); }},
        Malformed{"settings of a wrong length",
                  [](RawClient& client) { client.SendFrame(4, 0, 0, "xxx"); }},
        Malformed{"a push", [](RawClient& client) { client.SendFrame(5, 4, 1, "\0\0\0\2"); }},
        Malformed{"continuations without end",
                  [](RawClient& client) {
                    client.SendFrame(1, 0, 1, Request());
                    for (int i = 0; i < 1000; ++i) client.SendFrame(9, 0, 1, "\x82");
                  }},
        Malformed{"a flood of settings",
                  [](RawClient& client) {
                    std::string flood;
                    for (int i = 0; i < 100'000; ++i) flood += RawClient::Frame(4, 0, 0, "");
                    client.Send(flood);
                  }},
        Malformed{"a flood of pings",
                  [](RawClient& client) {
                    std::string flood;
                    for (int i = 0; i < 100'000; ++i)
                      flood += RawClient::Frame(6, 0, 0, "12345678");
                    client.Send(flood);
                  }},
        Malformed{"calls that are reset at once",
                  [](RawClient& client) {
                    for (std::uint32_t i = 0; i < 20'000; ++i) {
                      client.Send(RawClient::Frame(1, 4, 2 * i + 1, Request()) +
                                  RawClient::Frame(3, 0, 2 * i + 1, {"\0\0\0\x08", 4}));
                    }
                  }}),
    [](const auto& info) {
      std::string name = info.param.label;
      std::ranges::replace(name, ' ', '_');
      return name;
    });

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
  server_->Shutdown(0ms);
  options_.handshake_timeout = 60s;
  options_.max_connections = 5;
  options_.max_connections_per_client = 3;
  StartServer();
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
  server_->SetServing(false);
  EXPECT_EQ(check(), HealthCheckResponse::NOT_SERVING);
  server_->SetServing(true);
  EXPECT_EQ(check(), HealthCheckResponse::SERVING);
}

}  // namespace
}  // namespace platform::grpc
