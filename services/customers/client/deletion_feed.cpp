#include "services/customers/client/deletion_feed.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "platform/grpc/response_stream.h"
#include "platform/log/log.h"
#include "proto/customers/v1/user_deletions.grpc.pb.h"

namespace customers::client {
namespace {

using platform::Task;

Deletions ToDeletions(const v1::StreamDeletionsResponse& response) {
  Deletions deletions{.is_caught_up = response.is_caught_up()};
  deletions.deletions.reserve(static_cast<std::size_t>(response.deletions_size()));
  for (const v1::Deletion& deletion : response.deletions()) {
    deletions.deletions.push_back({.position = deletion.position(), .user_id = deletion.user_id()});
  }
  return deletions;
}

v1::StreamDeletionsRequest After(std::int64_t position) {
  v1::StreamDeletionsRequest request;
  request.set_after(position);
  return request;
}

}  // namespace

// An open stream, and the position of the last deletion that it has brought.
struct DeletionFeed::Stream {
  Stream(v1::UserDeletions::Stub& stub, std::int64_t after, std::chrono::milliseconds max_age)
      : position(after),
        messages(*stub.async(), &v1::UserDeletions::StubInterface::async_interface::StreamDeletions,
                 After(after), max_age) {}

  std::int64_t position;
  bool is_heard = false;  // It has brought a message.
  platform::grpc::ResponseStream<v1::StreamDeletionsResponse> messages;
};

struct DeletionFeed::Connection {
  explicit Connection(const DeletionFeedOptions& options)
      : replicas(options.replicas, {.tls = options.tls}) {}

  platform::grpc::Replicas<v1::UserDeletions> replicas;
};

DeletionFeed::DeletionFeed(DeletionFeedOptions options)
    : options_(std::move(options)), connection_(std::make_unique<Connection>(options_)) {}

DeletionFeed::~DeletionFeed() = default;

Task<std::expected<Deletions, DeletionFeed::Failure>> DeletionFeed::Next(std::int64_t after) {
  for (bool is_refused = false;;) {
    if (stream_ == nullptr || stream_->position != after) {
      Close();
      co_await Pause();
      stream_ = std::make_unique<Stream>(connection_->replicas.Next(), after, options_.max_age);
    }
    if (auto response = co_await stream_->messages.Next(options_.max_silence)) {
      OnMessage();
      Deletions deletions = ToDeletions(*response);
      if (!deletions.deletions.empty()) stream_->position = deletions.deletions.back().position;
      co_return deletions;
    }
    const ::grpc::Status status = stream_->messages.status();
    // A replica of the customers service ends a stream from time to time, and when it shuts down,
    // to have the client open another one. A new stream may reach it while it shuts down.
    const bool is_replaced = status.ok() && (stream_->is_heard || !std::exchange(is_refused, true));
    Close();
    if (!is_replaced) co_return std::unexpected(Fail(status.error_code()));
  }
}

void DeletionFeed::Close() { stream_.reset(); }

Task<void> DeletionFeed::Pause() {
  if (pause_.count() == 0) co_return;
  std::uniform_int_distribution jitter(pause_.count() / 2, pause_.count());
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor,
                                  std::chrono::milliseconds{jitter(random_)});
  co_await timer.async_wait(boost::asio::use_awaitable);
}

void DeletionFeed::OnMessage() {
  stream_->is_heard = true;
  pause_ = std::chrono::milliseconds{0};
  if (std::exchange(state_, State::kFollowing) != State::kFollowing) {
    platform::log::Info("receiving deletions from customers");
  }
}

DeletionFeed::Failure DeletionFeed::Fail(int grpc_status) {
  pause_ = std::clamp(pause_ * 2, options_.initial_pause, options_.max_pause);
  switch (grpc_status) {
    case ::grpc::StatusCode::OUT_OF_RANGE:
      platform::log::Warning(
          "customers does not know the last deletion: its database was restored, so all deletions "
          "are applied again");
      return Failure::kUnknownPosition;
    case ::grpc::StatusCode::UNIMPLEMENTED:
      if (std::exchange(state_, State::kUnimplemented) != State::kUnimplemented) {
        platform::log::Info("customers has no stream of deletions: waiting for a later version");
      }
      return Failure::kUnimplemented;
    case ::grpc::StatusCode::CANCELLED:
      // It was silent. On a dead connection the next stream would be silent too.
      connection_ = std::make_unique<Connection>(options_);
      [[fallthrough]];
    default:
      if (std::exchange(state_, State::kUnavailable) != State::kUnavailable) {
        platform::log::Warning("the stream of deletions from customers is lost",
                               {{"grpc_status", grpc_status}});
      }
      return Failure::kUnavailable;
  }
}

}  // namespace customers::client
