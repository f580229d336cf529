#pragma once

#include <grpcpp/support/status.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>

namespace customers {

// The open streams of a gRPC service. Any thread.
template <class Stream>
class OpenStreams {
 public:
  explicit OpenStreams(std::size_t limit) : limit_(limit) {}

  // Adds a stream. If it cannot be opened, returns the status to end it with.
  std::optional<::grpc::Status> Add(const std::shared_ptr<Stream>& stream) {
    const std::scoped_lock lock(mutex_);
    // As other streams when we shut down, so that the client goes elsewhere at once.
    if (is_ending_) return ::grpc::Status::OK;
    if (streams_.size() >= limit_) {
      return ::grpc::Status(::grpc::StatusCode::RESOURCE_EXHAUSTED, "Too many open streams");
    }
    streams_.insert(stream);
    return std::nullopt;
  }

  void Remove(const std::shared_ptr<Stream>& stream) {
    const std::scoped_lock lock(mutex_);
    streams_.erase(stream);
  }

  // Opens no further streams, and returns the open ones.
  std::unordered_set<std::shared_ptr<Stream>> End() {
    const std::scoped_lock lock(mutex_);
    is_ending_ = true;
    return streams_;
  }

 private:
  const std::size_t limit_;
  std::mutex mutex_;
  bool is_ending_ = false;
  std::unordered_set<std::shared_ptr<Stream>> streams_;
};

}  // namespace customers
