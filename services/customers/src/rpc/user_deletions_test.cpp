#include "services/customers/src/rpc/user_deletions.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include "platform/grpc/server.h"
#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/grpc_peers.h"
#include "proto/customers/v1/user_deletions.grpc.pb.h"

namespace customers {
namespace {

using ::grpc::StatusCode;
using platform::Error;
using platform::Result;
using platform::Task;
using namespace std::chrono_literals;
namespace asio = boost::asio;

constexpr std::size_t kPage = 5000;

class UserDeletionsTest : public ::testing::Test {
 protected:
  // A client's end of a stream.
  struct Client {
    Client(v1::UserDeletions::Stub& stub, std::int64_t after) {
      v1::StreamDeletionsRequest request;
      request.set_after(after);
      stream = stub.StreamDeletions(&context, request);
    }

    // Returns the positions until the server has nothing further, or ends the stream.
    std::vector<std::int64_t> ReceiveAll() {
      std::vector<std::int64_t> positions;
      v1::StreamDeletionsResponse response;
      while (stream->Read(&response)) {
        for (const v1::Deletion& deletion : response.deletions()) {
          EXPECT_EQ(deletion.user_id(), deletion.position() * 10);
          positions.push_back(deletion.position());
        }
        if (response.is_caught_up()) break;
      }
      return positions;
    }

    // Returns the status with which the server ends the stream.
    ::grpc::Status End() {
      v1::StreamDeletionsResponse response;
      while (stream->Read(&response)) {
      }
      return stream->Finish();
    }

    ::grpc::ClientContext context;
    std::unique_ptr<::grpc::ClientReader<v1::StreamDeletionsResponse>> stream;
  };

  ~UserDeletionsTest() override {
    Stop();
    StopWorker();
  }

  void SetUp() override { Serve({.interval = 5ms}); }

  void Serve(UserDeletionsLimits limits) {
    Stop();
    const ReadDeletions read = [this](std::int64_t after) { return Read(after); };
    server_.emplace(platform::grpc::ServerOptions{.tls = files_.files()},
                    std::vector<asio::any_io_executor>{io_->get_executor()});
    const auto port = server_->Start({StreamDeletionsMethod({read}, limits)});
    ASSERT_TRUE(port) << port.error();
    stub_ = v1::UserDeletions::NewStub(
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

  Task<Result<std::vector<Deletion>>> Read(std::int64_t after) {
    ++reads_;
    if (after == 666) throw std::runtime_error("secret detail");
    if (after == 503) co_return std::unexpected(Error::Unavailable());
    if (after > last_) co_return std::unexpected(Error::NotFound());
    std::vector<Deletion> page;
    for (std::int64_t next = after + 1; next <= last_ && page.size() < kPage; ++next) {
      page.push_back({.position = next, .user_id = static_cast<std::int32_t>(next * 10)});
    }
    co_return page;
  }

  static std::vector<std::int64_t> Range(std::int64_t first, std::int64_t last) {
    std::vector<std::int64_t> range;
    for (std::int64_t position = first; position <= last; ++position) range.push_back(position);
    return range;
  }

  std::atomic<std::int64_t> last_ = 3;  // The position of the last deletion.
  std::atomic<int> reads_ = 0;
  platform::grpc::testing::Authority authority_;
  platform::grpc::testing::TlsDirectory files_{authority_.certificate(), authority_.Issue()};
  std::optional<asio::io_context> io_{std::in_place};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{
      io_->get_executor()};
  std::thread worker_{[this] { io_->run(); }};
  std::optional<platform::grpc::Server> server_;
  std::unique_ptr<v1::UserDeletions::Stub> stub_;
};

TEST_F(UserDeletionsTest, SendsTheDeletionsAfterAPositionAndThenFurtherOnes) {
  Client all(*stub_, 0);
  Client from_two(*stub_, 2);
  EXPECT_EQ(all.ReceiveAll(), Range(1, 3));
  EXPECT_EQ(from_two.ReceiveAll(), Range(3, 3));
  last_ = 5;
  // A message without deletions may have been sent before.
  std::vector<std::int64_t> further;
  while (further.empty()) further = all.ReceiveAll();
  while (further.size() < 2) std::ranges::copy(all.ReceiveAll(), std::back_inserter(further));
  EXPECT_EQ(further, Range(4, 5));
}

TEST_F(UserDeletionsTest, SendsManyPagesInOrder) {
  last_ = 10 * kPage + 7;
  Client client(*stub_, 0);
  EXPECT_EQ(client.ReceiveAll(), Range(1, last_));
}

TEST_F(UserDeletionsTest, SendsMessagesWhileThereIsNothingNew) {
  Client client(*stub_, 3);
  for (int message = 0; message < 10; ++message) EXPECT_TRUE(client.ReceiveAll().empty());
}

TEST_F(UserDeletionsTest, AnUnknownPositionEndsTheStream) {
  Client client(*stub_, 4);
  EXPECT_EQ(client.End().error_code(), StatusCode::OUT_OF_RANGE);
}

TEST_F(UserDeletionsTest, APositionThatDisappearsEndsTheStream) {
  Client client(*stub_, 0);
  EXPECT_EQ(client.ReceiveAll(), Range(1, 3));
  last_ = 2;
  EXPECT_EQ(client.End().error_code(), StatusCode::OUT_OF_RANGE);
}

TEST_F(UserDeletionsTest, FailuresEndTheStream) {
  EXPECT_EQ(Client(*stub_, 503).End().error_code(), StatusCode::UNAVAILABLE);
  const ::grpc::Status broken = Client(*stub_, 666).End();
  EXPECT_EQ(broken.error_code(), StatusCode::INTERNAL);
  EXPECT_EQ(broken.error_message(), "Internal error");
}

TEST_F(UserDeletionsTest, EndsAnOldStreamAsASuccess) {
  Serve({.interval = 5ms, .max_age = 50ms});
  Client client(*stub_, 0);
  EXPECT_EQ(client.ReceiveAll(), Range(1, 3));
  EXPECT_TRUE(client.End().ok());
}

TEST_F(UserDeletionsTest, RefusesTooManyStreams) {
  Serve({.streams = 2, .interval = 5ms});
  std::optional<Client> first(std::in_place, *stub_, 0);
  Client second(*stub_, 0);
  first->ReceiveAll();
  second.ReceiveAll();
  EXPECT_EQ(Client(*stub_, 0).End().error_code(), StatusCode::RESOURCE_EXHAUSTED);

  // The end of one makes room.
  first->context.TryCancel();
  first->End();
  first.reset();
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (Client(*stub_, 0).ReceiveAll().empty()) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
  }
}

TEST_F(UserDeletionsTest, AClientThatDoesNotReadIsNotReadFor) {
  // A thousand pages are far more than all buffers between the server and the client can hold.
  last_ = 1000 * kPage;
  const Client stalled(*stub_, 0);
  int before = 0;
  while (reads_ == 0 || before != reads_) {
    before = reads_;
    std::this_thread::sleep_for(300ms);
  }
  EXPECT_LT(reads_, 1000);
}

TEST_F(UserDeletionsTest, AShutdownEndsAllStreams) {
  Client client(*stub_, 0);
  EXPECT_EQ(client.ReceiveAll(), Range(1, 3));
  // No stream holds the server up.
  std::jthread stopping([&] { Stop(1h); });
  EXPECT_TRUE(client.End().ok());
  stopping.join();
  EXPECT_EQ(Client(*stub_, 0).End().error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(UserDeletionsTest, WithoutItsWorkerAStreamEnds) {
  Client client(*stub_, 0);
  EXPECT_EQ(client.ReceiveAll(), Range(1, 3));
  StopWorker();
  EXPECT_EQ(client.End().error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(UserDeletionsTest, ManyComeAndGo) {
  for (int round = 0; round < 50; ++round) {
    Client client(*stub_, 0);
    if (round % 2 == 0) client.ReceiveAll();
    client.context.TryCancel();
    client.End();
  }
  EXPECT_EQ(Client(*stub_, 0).ReceiveAll(), Range(1, 3));
}

}  // namespace
}  // namespace customers
