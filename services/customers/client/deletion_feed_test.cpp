#include "services/customers/client/deletion_feed.h"

#include <grpcpp/server_context.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/grpc_peers.h"
#include "proto/auth.grpc.pb.h"
#include "proto/customers/v1/user_deletions.grpc.pb.h"

namespace customers::client {
namespace {

using platform::Task;
using namespace std::chrono_literals;
namespace asio = boost::asio;

using Failure = DeletionFeed::Failure;

// The customers service without the feed.
class FakeUnary final : public UserAuth::Service {};

// The customers service with the feed. The position of user N's deletion is N * 10.
class FakeFeed final : public v1::UserDeletions::Service {
 public:
  ::grpc::Status StreamDeletions(
      ::grpc::ServerContext* context, const v1::StreamDeletionsRequest* request,
      ::grpc::ServerWriter<v1::StreamDeletionsResponse>* writer) override {
    ++streams;
    has_deadline = context->deadline() < std::chrono::system_clock::now() + 1h;
    std::int64_t position = request->after();
    if (position > last * 10) return {::grpc::StatusCode::OUT_OF_RANGE, ""};
    for (int message = 0; !context->IsCancelled(); ++message) {
      if (message == end_after) return {static_cast<::grpc::StatusCode>(end_with.load()), ""};
      while (is_silent && !context->IsCancelled()) std::this_thread::sleep_for(2ms);
      v1::StreamDeletionsResponse response;
      if (position < last * 10) {
        for (int i = 0; i < 3 && position < last * 10; ++i) {
          position += 10;
          v1::Deletion& deletion = *response.add_deletions();
          deletion.set_position(position);
          deletion.set_user_id(static_cast<std::int32_t>(position / 10));
        }
      } else {
        response.set_is_caught_up(true);
      }
      writer->Write(response);
      std::this_thread::sleep_for(2ms);
    }
    return ::grpc::Status::CANCELLED;
  }

  std::atomic<std::int64_t> last = 7;
  std::atomic<int> streams = 0;
  std::atomic<bool> has_deadline = false;
  std::atomic<bool> is_silent = false;
  std::atomic<int> end_after = -1;  // Messages.
  std::atomic<int> end_with = ::grpc::StatusCode::OK;
};

class DeletionFeedTest : public ::testing::Test {
 protected:
  // Starts the customers service, on the same port each time.
  void Serve(::grpc::Service& service) {
    const std::array<::grpc::Service*, 1> services{&service};
    server_.emplace(files_.files(), services, port_);
    port_ = server_->port();
  }

  void StopServing() { server_.reset(); }

  DeletionFeedOptions Options() {
    return {.replicas = {{"localhost", port_}}, .tls = files_.files(), .max_pause = 100ms};
  }

  // Runs a task with a feed on an event loop.
  void Follow(std::function<Task<void>(DeletionFeed&)> task) { Follow(Options(), std::move(task)); }

  static void Follow(DeletionFeedOptions options, std::function<Task<void>(DeletionFeed&)> task) {
    asio::io_context io;
    DeletionFeed feed(std::move(options));
    bool has_ended = false;
    asio::co_spawn(
        io,
        [&] -> Task<void> {
          co_await task(feed);
          has_ended = true;
        },
        asio::detached);
    while (!has_ended) io.run_one();
  }

  // Appends the users of all deletions after `position` and advances it, as a consumer does, until
  // the feed has no more.
  static Task<void> ReadAll(DeletionFeed& feed, std::int64_t& position,
                            std::vector<std::int32_t>& users) {
    for (;;) {
      const auto next = co_await feed.Next(position);
      if (!next) continue;
      for (const Deletion& deletion : next->deletions) {
        EXPECT_EQ(deletion.position, deletion.user_id * 10);
        position = deletion.position;
        users.push_back(deletion.user_id);
      }
      if (next->is_caught_up) co_return;
    }
  }

  // Calls Next() until it fails in this way.
  static Task<void> FailAs(DeletionFeed& feed, Failure failure) {
    for (;;) {
      const auto next = co_await feed.Next(0);
      if (!next && next.error() == failure) co_return;
    }
  }

  platform::grpc::testing::Authority authority_;
  platform::grpc::testing::TlsDirectory files_{authority_.certificate(), authority_.Issue()};
  FakeFeed feed_;
  FakeUnary unary_;
  std::uint16_t port_ = 0;
  std::optional<platform::grpc::testing::GrpcServer> server_;
};

TEST_F(DeletionFeedTest, ReturnsAllDeletionsInOrderOverOneStream) {
  Serve(feed_);
  Follow([&](DeletionFeed& feed) -> Task<void> {
    std::int64_t position = 0;
    std::vector<std::int32_t> users;
    co_await ReadAll(feed, position, users);
    EXPECT_EQ(users, (std::vector{1, 2, 3, 4, 5, 6, 7}));
    feed_.last = 9;
    while (users.size() < 9) co_await ReadAll(feed, position, users);
    EXPECT_EQ(users, (std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  });
  EXPECT_EQ(feed_.streams, 1);
  EXPECT_TRUE(feed_.has_deadline);
}

TEST_F(DeletionFeedTest, ReturnsAgainWhatWasNotApplied) {
  Serve(feed_);
  Follow([&](DeletionFeed& feed) -> Task<void> {
    EXPECT_EQ((co_await feed.Next(0))->deletions.front().user_id, 1);
    // The second of the three that were returned has failed.
    EXPECT_EQ((co_await feed.Next(10))->deletions.front().user_id, 2);
    feed.Close();
    EXPECT_EQ((co_await feed.Next(40))->deletions.front().user_id, 5);
  });
  EXPECT_EQ(feed_.streams, 3);
}

TEST_F(DeletionFeedTest, ReplacesAStreamThatTheServerEnds) {
  feed_.end_after = 1;
  Serve(feed_);
  Follow([&](DeletionFeed& feed) -> Task<void> {
    std::int64_t position = 0;
    for (int message = 0; message < 3; ++message) {
      const auto next = co_await feed.Next(position);
      EXPECT_TRUE(next);
      position = next->deletions.back().position;
    }
    EXPECT_EQ(position, 70);
  });
  EXPECT_EQ(feed_.streams, 3);
}

TEST_F(DeletionFeedTest, AStreamThatEndsWithoutAMessageIsAFailure) {
  feed_.end_after = 0;
  Serve(feed_);
  Follow([&](DeletionFeed& feed) -> Task<void> { co_await FailAs(feed, Failure::kUnavailable); });
}

TEST_F(DeletionFeedTest, ResumesAfterFailures) {
  feed_.end_after = 1;
  feed_.end_with = ::grpc::StatusCode::UNAVAILABLE;
  Serve(feed_);
  Follow([&](DeletionFeed& feed) -> Task<void> {
    std::int64_t position = 0;
    std::vector<std::int32_t> users;
    while (users.size() < 7) {
      if (const auto next = co_await feed.Next(position)) {
        for (const Deletion& deletion : next->deletions) {
          users.push_back(deletion.user_id);
          position = deletion.position;
        }
      }
    }
    EXPECT_EQ(users, (std::vector{1, 2, 3, 4, 5, 6, 7}));
  });
}

TEST_F(DeletionFeedTest, WaitsForAServer) {
  Serve(feed_);
  StopServing();
  Follow([&](DeletionFeed& feed) -> Task<void> {
    co_await FailAs(feed, Failure::kUnavailable);
    Serve(feed_);
    std::int64_t position = 0;
    std::vector<std::int32_t> users;
    co_await ReadAll(feed, position, users);
    EXPECT_EQ(users.size(), 7U);
  });
}

TEST_F(DeletionFeedTest, WaitsForAServerWithTheFeed) {
  Serve(unary_);
  Follow([&](DeletionFeed& feed) -> Task<void> {
    co_await FailAs(feed, Failure::kUnimplemented);
    StopServing();
    Serve(feed_);
    std::int64_t position = 0;
    std::vector<std::int32_t> users;
    co_await ReadAll(feed, position, users);
    EXPECT_EQ(users.size(), 7U);
  });
}

TEST_F(DeletionFeedTest, ReportsAnUnknownPosition) {
  Serve(feed_);
  Follow([&](DeletionFeed& feed) -> Task<void> {
    const auto next = co_await feed.Next(80);
    EXPECT_FALSE(next);
    EXPECT_EQ(next.error(), Failure::kUnknownPosition);
    EXPECT_TRUE(co_await feed.Next(0));
  });
}

TEST_F(DeletionFeedTest, GivesUpASilentStream) {
  Serve(feed_);
  DeletionFeedOptions options = Options();
  options.max_silence = 300ms;
  Follow(std::move(options), [&](DeletionFeed& feed) -> Task<void> {
    feed_.is_silent = true;
    co_await FailAs(feed, Failure::kUnavailable);
    feed_.is_silent = false;
    std::int64_t position = 0;
    std::vector<std::int32_t> users;
    co_await ReadAll(feed, position, users);
    EXPECT_EQ(users.size(), 7U);
  });
}

TEST_F(DeletionFeedTest, IsDestroyedWhileItWaits) {
  Serve(feed_);
  feed_.is_silent = true;
  for (int round = 0; round < 10; ++round) {
    asio::io_context io;
    DeletionFeed feed(Options());
    asio::co_spawn(io, [&] -> Task<void> { co_await feed.Next(0); }, asio::detached);
    io.run_for(std::chrono::milliseconds(10 * round));
  }
}

}  // namespace
}  // namespace customers::client
