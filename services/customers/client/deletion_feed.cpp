#include "services/customers/client/deletion_feed.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "platform/base/random_duration.h"
#include "platform/grpc/channel.h"
#include "platform/log/log.h"
#include "proto/customers/v1/user_deletions.pb.h"

namespace customers::client {
namespace {

using platform::Task;
using platform::grpc::ClientCall;
using platform::grpc::StatusCode;

constexpr const char* kMethod = "/customers.v1.UserDeletions/StreamDeletions";

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
  Stream(std::shared_ptr<ClientCall> its_call, std::int64_t after)
      : call(std::move(its_call)), position(after) {
    call->Send(After(after));
    call->EndSending();
  }
  ~Stream() { call->Cancel(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Returns the next message, or nothing if the stream has ended. If nothing arrives in time, ends
  // the stream and its connection: on a dead connection the next stream would be silent too.
  Task<std::optional<v1::StreamDeletionsResponse>> Next(std::chrono::milliseconds max_silence) {
    boost::asio::steady_timer silence(call->executor(), max_silence);
    silence.async_wait([call = call](const boost::system::error_code& error) {
      if (error) return;
      call->CloseConnection();
      call->Cancel();
    });
    const auto bytes = co_await call->Read();
    v1::StreamDeletionsResponse response;
    if (!bytes || !response.ParseFromString(*bytes)) co_return std::nullopt;
    co_return response;
  }

  const std::shared_ptr<ClientCall> call;
  std::int64_t position;
  bool is_heard = false;  // It has brought a message.
};

DeletionFeed::DeletionFeed(DeletionFeedOptions options) : options_(std::move(options)) {}

DeletionFeed::~DeletionFeed() = default;

Task<std::expected<Deletions, DeletionFeed::Failure>> DeletionFeed::Next(std::int64_t after) {
  for (bool is_refused = false;;) {
    if (stream_ == nullptr || stream_->position != after) {
      Close();
      co_await Open(after);
    }
    if (auto response = co_await stream_->Next(options_.max_silence)) {
      OnMessage();
      Deletions deletions = ToDeletions(*response);
      if (!deletions.deletions.empty()) stream_->position = deletions.deletions.back().position;
      co_return deletions;
    }
    const StatusCode status = stream_->call->status().code;
    // A replica of the customers service ends a stream from time to time, and when it shuts down,
    // to have the client open another one. A new stream may reach it while it shuts down.
    const bool is_replaced =
        status == StatusCode::kOk && (stream_->is_heard || !std::exchange(is_refused, true));
    Close();
    if (!is_replaced) co_return std::unexpected(Fail(status));
  }
}

void DeletionFeed::Close() { stream_.reset(); }

Task<void> DeletionFeed::Open(std::int64_t after) {
  co_await Pause();
  if (channel_ == nullptr) {
    channel_ = std::make_unique<platform::grpc::Channel>(
        co_await boost::asio::this_coro::executor,
        platform::grpc::ChannelOptions{.hosts = options_.replicas, .tls = options_.tls});
  }
  stream_ = std::make_unique<Stream>(channel_->Start(kMethod, {}, options_.max_age), after);
}

Task<void> DeletionFeed::Pause() {
  if (pause_.count() == 0) co_return;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor,
                                  platform::RandomDuration(pause_ / 2, pause_));
  co_await timer.async_wait(boost::asio::use_awaitable);
}

void DeletionFeed::OnMessage() {
  stream_->is_heard = true;
  pause_ = std::chrono::milliseconds{0};
  if (std::exchange(state_, State::kFollowing) != State::kFollowing) {
    platform::log::Info("receiving deletions from customers");
  }
}

DeletionFeed::Failure DeletionFeed::Fail(StatusCode status) {
  pause_ = std::clamp(pause_ * 2, options_.initial_pause, options_.max_pause);
  switch (status) {
    case StatusCode::kOutOfRange:
      platform::log::Warning(
          "customers does not know the last deletion: its database was restored, so all deletions "
          "are applied again");
      return Failure::kUnknownPosition;
    case StatusCode::kUnimplemented:
      if (std::exchange(state_, State::kUnimplemented) != State::kUnimplemented) {
        platform::log::Info("customers has no stream of deletions: waiting for a later version");
      }
      return Failure::kUnimplemented;
    default:
      if (std::exchange(state_, State::kUnavailable) != State::kUnavailable) {
        platform::log::Warning("the stream of deletions from customers is lost",
                               {{"grpc_status", static_cast<int>(status)}});
      }
      return Failure::kUnavailable;
  }
}

}  // namespace customers::client
