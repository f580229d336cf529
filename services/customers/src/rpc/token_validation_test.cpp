#include "services/customers/src/rpc/token_validation.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <optional>
#include <stdexcept>
#include <thread>

#include "platform/grpc/server.h"
#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/grpc_peers.h"
#include "proto/customers/v1/token_validation.grpc.pb.h"

namespace customers {
namespace {

using ::grpc::StatusCode;
using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using namespace std::chrono_literals;
namespace asio = boost::asio;

class TokenValidationTest : public ::testing::Test {
 protected:
  using Verdicts = std::map<std::uint64_t, v1::Verdict>;

  // A client's end of a stream.
  struct Client {
    explicit Client(v1::TokenValidation::Stub& stub) : stream(stub.ValidateTokens(&context)) {}

    void Send(std::initializer_list<std::pair<std::uint64_t, std::string>> queries) {
      v1::ValidateTokensRequest request;
      for (const auto& [id, authorization] : queries) Add(request, id, authorization);
      stream->Write(request);
    }

    static void Add(v1::ValidateTokensRequest& request, std::uint64_t id,
                    const std::string& authorization) {
      request.add_queries()->set_id(id);
      request.mutable_queries(request.queries_size() - 1)->set_authorization(authorization);
    }

    // Returns the next `count` verdicts, or fewer if the stream ends.
    Verdicts Receive(std::size_t count) {
      Verdicts verdicts;
      v1::ValidateTokensResponse response;
      while (verdicts.size() < count && stream->Read(&response)) {
        ++messages;
        for (const v1::Verdict& verdict : response.verdicts()) {
          EXPECT_TRUE(verdicts.emplace(verdict.id(), verdict).second) << verdict.id();
        }
      }
      EXPECT_EQ(verdicts.size(), count);
      return verdicts;
    }

    // Expects the end of the stream, without further messages.
    ::grpc::Status End() {
      v1::ValidateTokensResponse response;
      EXPECT_FALSE(stream->Read(&response)) << response.ShortDebugString();
      return stream->Finish();
    }

    ::grpc::ClientContext context;
    std::unique_ptr<
        ::grpc::ClientReaderWriter<v1::ValidateTokensRequest, v1::ValidateTokensResponse>>
        stream;
    int messages = 0;
  };

  ~TokenValidationTest() override {
    is_open_ = true;
    Stop();
    StopWorker();
  }

  void SetUp() override { Serve({}); }

  void Serve(TokenValidationLimits limits) {
    Stop();
    const ValidationWorker worker{.executor = io_->get_executor(),
                                  .validate = [this](std::vector<std::string_view> texts) {
                                    return Validate(std::move(texts));
                                  }};
    server_.emplace(platform::grpc::ServerOptions{.tls = files_.files()},
                    std::vector<asio::any_io_executor>{io_->get_executor()});
    const auto port = server_->Start({ValidateTokensMethod({worker}, limits)});
    ASSERT_TRUE(port) << port.error();
    stub_ = v1::TokenValidation::NewStub(
        platform::grpc::testing::MakeGrpcChannel("localhost", *port, files_.files()));
  }

  void Stop(std::chrono::milliseconds grace = 0ms) {
    if (io_ && server_) server_->Shutdown(grace);
  }

  // Ends the loop with all its work, and destroys it.
  void StopWorker() {
    if (!io_) return;
    io_->stop();
    worker_.join();
    work_.reset();
    io_.reset();
  }

  // Returns the verdict that each token's text requests, when the gate is open.
  Task<std::vector<Result<Identity>>> Validate(std::vector<std::string_view> authorizations) {
    taken_ += authorizations.size();
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!is_open_) {
      timer.expires_after(2ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
    std::vector<Result<Identity>> results;
    for (const std::string_view text : authorizations) {
      if (text == "throw") throw std::runtime_error("secret detail");
      if (text == "expired") {
        results.emplace_back(std::unexpected(
            Error{.code = ErrorCode::kUnauthenticated, .reason = "Signature has expired"}));
      } else if (text == "revoked") {
        results.emplace_back(std::unexpected(Error::PermissionDenied("Token is revoked")));
      } else if (text == "unavailable") {
        results.emplace_back(std::unexpected(Error::Unavailable(3s)));
      } else if (text == "broken") {
        results.emplace_back(std::unexpected(Error::Internal()));
      } else {
        results.emplace_back(Identity{.id = 7, .email = std::string(text), .is_admin = true});
      }
    }
    co_return results;
  }

  void WaitUntilTaken(std::size_t count) const {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (taken_ < count && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(2ms);
    }
    EXPECT_GE(taken_, count);
  }

  std::atomic<bool> is_open_ = true;
  std::atomic<std::size_t> taken_ = 0;
  platform::grpc::testing::Authority authority_;
  platform::grpc::testing::TlsDirectory files_{authority_.certificate(), authority_.Issue()};
  std::optional<asio::io_context> io_{std::in_place};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{
      io_->get_executor()};
  std::thread worker_{[this] { io_->run(); }};
  std::optional<platform::grpc::Server> server_;
  std::unique_ptr<v1::TokenValidation::Stub> stub_;
};

TEST_F(TokenValidationTest, EachOutcome) {
  Client client(*stub_);
  client.Send(
      {{1, "a@b.example"}, {20, "expired"}, {3, "revoked"}, {4, "unavailable"}, {0, "broken"}});
  Verdicts verdicts = client.Receive(5);
  EXPECT_EQ(verdicts[1].identity().user_id(), 7);
  EXPECT_EQ(verdicts[1].identity().email(), "a@b.example");
  EXPECT_TRUE(verdicts[1].identity().is_admin());
  EXPECT_EQ(verdicts[20].refusal().message(), "Signature has expired");
  EXPECT_EQ(verdicts[3].refusal().message(), "Token is revoked");
  EXPECT_EQ(verdicts[4].unavailable().retry_after_seconds(), 3U);
  EXPECT_TRUE(verdicts[0].has_unavailable());

  // After an exception the stream continues, and an answered id may be used again.
  client.Send({{1, "throw"}, {2, "x"}});
  verdicts = client.Receive(2);
  EXPECT_TRUE(verdicts[1].has_unavailable());
  EXPECT_TRUE(verdicts[2].has_unavailable());
  client.Send({});
  client.Send({{1, "x"}});
  client.Receive(1);
}

TEST_F(TokenValidationTest, HalfClosedItAnswersAndEnds) {
  is_open_ = false;
  Client client(*stub_);
  client.Send({{1, "x"}});
  client.Send({{2, "y"}});
  client.stream->WritesDone();
  WaitUntilTaken(2);
  is_open_ = true;
  client.Receive(2);
  EXPECT_TRUE(client.End().ok());
}

TEST_F(TokenValidationTest, HalfClosedWithNothingOpenItEnds) {
  Client client(*stub_);
  client.stream->WritesDone();
  EXPECT_TRUE(client.End().ok());
}

TEST_F(TokenValidationTest, AnIdThatIsStillOpenEndsTheStream) {
  is_open_ = false;
  Client client(*stub_);
  client.Send({{1, "x"}});
  client.Send({{1, "y"}});
  EXPECT_EQ(client.End().error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(TokenValidationTest, TooManyQueriesInAMessageEndTheStream) {
  v1::ValidateTokensRequest request;
  for (std::uint64_t id = 0; id < 1024; ++id) Client::Add(request, id, "x");
  Client client(*stub_);
  client.stream->Write(request);
  client.Receive(1024);
  Client::Add(request, 1024, "x");
  client.stream->Write(request);
  EXPECT_EQ(client.End().error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(taken_, 1024U);
}

TEST_F(TokenValidationTest, TooLargeAMessageEndsTheStream) {
  Client client(*stub_);
  client.Send({{1, std::string(std::size_t{2} << 20, 'x')}});
  EXPECT_EQ(client.End().error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(TokenValidationTest, LongVerdictsTravelInSeveralMessages) {
  v1::ValidateTokensRequest request;
  for (std::uint64_t id = 0; id < 9; ++id) Client::Add(request, id, std::string(100'000, 'x'));
  Client client(*stub_);
  client.stream->Write(request);
  for (const auto& [id, verdict] : client.Receive(9)) {
    EXPECT_EQ(verdict.identity().email().size(), 100'000U);
  }
  EXPECT_GE(client.messages, 4);
}

TEST_F(TokenValidationTest, ReadsNoFurtherWhileTooManyAreOpen) {
  Serve({.open_queries = 8});
  is_open_ = false;
  Client client(*stub_);
  for (std::uint64_t id = 0; id < 100; ++id) client.Send({{id, "x"}});
  WaitUntilTaken(8);
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(taken_, 8U);
  is_open_ = true;
  client.Receive(100);
}

TEST_F(TokenValidationTest, TooManyOpenBytesAreUnavailableAtOnce) {
  Serve({.open_bytes = 1000});
  is_open_ = false;
  Client first(*stub_);
  first.Send({{1, std::string(900, 'x')}});
  WaitUntilTaken(1);
  Client second(*stub_);
  second.Send({{1, std::string(100, 'x')}, {2, "y"}});
  for (const auto& [id, verdict] : second.Receive(2)) {
    EXPECT_EQ(verdict.unavailable().retry_after_seconds(), 1U);
  }
  EXPECT_EQ(taken_, 1U);

  is_open_ = true;
  first.Receive(1);
  second.Send({{1, std::string(900, 'x')}});
  for (const auto& [id, verdict] : second.Receive(1)) EXPECT_TRUE(verdict.has_identity());
}

TEST_F(TokenValidationTest, RefusesStreamsOverTheLimit) {
  Serve({.streams = 1});
  std::optional<Client> first(*stub_);
  first->Send({{1, "x"}});
  first->Receive(1);
  EXPECT_EQ(Client(*stub_).End().error_code(), StatusCode::RESOURCE_EXHAUSTED);
  first->stream->WritesDone();
  EXPECT_TRUE(first->End().ok());
  // The server may notice the end a moment later than the client.
  const auto end = std::chrono::steady_clock::now() + 5s;
  const auto accepts_another = [&] {
    Client next(*stub_);
    next.stream->WritesDone();
    return next.End().ok();
  };
  while (!accepts_another()) ASSERT_LT(std::chrono::steady_clock::now(), end);
}

TEST_F(TokenValidationTest, AShutdownAnswersWhatIsOpen) {
  is_open_ = false;
  Client idle(*stub_);
  Client busy(*stub_);
  busy.Send({{1, "x"}});
  WaitUntilTaken(1);
  const auto start = std::chrono::steady_clock::now();
  std::jthread stopping([&] { Stop(30s); });
  EXPECT_TRUE(idle.End().ok());
  is_open_ = true;
  busy.Receive(1);
  EXPECT_TRUE(busy.End().ok());
  // Nothing delays the server's end.
  stopping.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
  EXPECT_EQ(Client(*stub_).End().error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(TokenValidationTest, TheServersShutdownEndsStreams) {
  is_open_ = false;
  Client client(*stub_);
  client.Send({{1, "x"}});
  WaitUntilTaken(1);
  std::jthread stopping([&] { Stop(); });
  EXPECT_FALSE(client.End().ok());
  is_open_ = true;
}

TEST_F(TokenValidationTest, AWorkerThatIsGoneLeavesNoStreamOpen) {
  is_open_ = false;
  Client client(*stub_);
  client.Send({{1, "x"}});
  WaitUntilTaken(1);
  StopWorker();
  EXPECT_EQ(client.End().error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(TokenValidationTest, ClientsThatVanishLeaveNothingBehind) {
  is_open_ = false;
  for (int i = 0; i < 20; ++i) {
    Client client(*stub_);
    client.Send({{1, "x"}});
    WaitUntilTaken(static_cast<std::size_t>(i) + 1);
    client.context.TryCancel();
    EXPECT_EQ(client.End().error_code(), StatusCode::CANCELLED);
  }
  is_open_ = true;
  Client client(*stub_);
  client.Send({{1, "x"}});
  client.Receive(1);
}

}  // namespace
}  // namespace customers
