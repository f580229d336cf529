#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <vector>

#include "platform/base/task.h"
#include "platform/grpc/host_and_port.h"
#include "platform/grpc/status.h"
#include "platform/grpc/tls.h"

namespace platform::grpc {
class Channel;
}

namespace customers::client {

// The deletion of a user. Positions increase in the order of commits, and none is used twice.
struct Deletion {
  std::int64_t position = 0;
  std::int32_t user_id = 0;

  bool operator==(const Deletion&) const = default;
};

struct Deletions {
  std::vector<Deletion> deletions;
  // There are no further ones at present.
  bool is_caught_up = false;
};

struct DeletionFeedOptions {
  // The replicas of the customers service; see platform::grpc::Channel.
  std::vector<platform::grpc::HostAndPort> replicas;
  platform::grpc::TlsFiles tls;

  // A stream that brings nothing for this time is given up with its connection. The customers
  // service sends a message every half a second.
  std::chrono::milliseconds max_silence{3000};
  // The pause before the next stream after a failure. It doubles up to the maximum, with jitter.
  std::chrono::milliseconds initial_pause{50};
  std::chrono::milliseconds max_pause{1000};
  // A bound for a server that does not end its streams; the customers service does after 5 seconds.
  std::chrono::milliseconds max_age{std::chrono::minutes{15}};
};

// The deletions of users, from the customers service (customers.v1.UserDeletions). It keeps one
// stream open, replaces it when it ends, and logs when deletions begin and cease to arrive.
//
// Belongs to one event loop, and to one coroutine at a time; outlives its tasks.
class DeletionFeed {
 public:
  enum class Failure {
    kUnavailable,      // There is no stream at present.
    kUnimplemented,    // The customers service is an older version, or the reference.
    kUnknownPosition,  // The customers service's database was restored: start again from 0.
  };

  explicit DeletionFeed(DeletionFeedOptions options);
  ~DeletionFeed();
  DeletionFeed(const DeletionFeed&) = delete;
  DeletionFeed& operator=(const DeletionFeed&) = delete;

  // Waits for the customers service's next message and returns the deletions after a position, none
  // if there are no further ones at present. Every deletion is returned until a later call passes
  // its position or a greater one. After a failure, the next call waits before it opens a stream.
  // Takes at most `max_silence` and `max_pause` together.
  platform::Task<std::expected<Deletions, Failure>> Next(std::int64_t after);

  // Ends the stream, if one is open. The next call of Next() opens another one.
  void Close();

 private:
  struct Stream;

  platform::Task<void> Open(std::int64_t after);
  platform::Task<void> Pause();
  void OnMessage();
  Failure Fail(platform::grpc::StatusCode status);

  const DeletionFeedOptions options_;
  std::unique_ptr<platform::grpc::Channel> channel_;  // Made for the first stream.
  std::unique_ptr<Stream> stream_;
  std::chrono::milliseconds pause_{0};  // Before the next stream.
  // What was logged last.
  enum class State { kUnknown, kFollowing, kUnavailable, kUnimplemented } state_ = State::kUnknown;
};

}  // namespace customers::client
