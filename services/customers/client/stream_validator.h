#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/grpc/channel.h"
#include "proto/customers/v1/token_validation.pb.h"
#include "services/customers/client/peer_health.h"
#include "services/customers/client/token_validator.h"

namespace customers::client {

// Validates tokens over streams of customers.v1.TokenValidation. Validations are sent on one stream
// at a time. After `stream_turn` the stream is half-closed, and the next validation opens another
// one, which leads to the next replica. So the replicas get equal shares, whatever the number of
// clients and replicas, and no stream outlives its connection.
//
// When a stream ends, its validations without a verdict are sent once more: at once if a replica is
// connected, otherwise after a pause. While the customers service counts as away (PeerHealth), new
// validations fail with kUnavailable at once, until the next stream is opened. A stream is given up
// together with its connection if verdicts are awaited and none has arrived for the time that a
// validation may take, or if half of max_in_flight or of max_in_flight_bytes is overdue. A stream
// that brings a verdict with an unknown id is given up, but its connection is kept.
//
// Belongs to one event loop. It is held by a std::shared_ptr, because handlers on that loop may run
// after the owner is gone. They hold a weak pointer, and do nothing if it has expired.
class StreamValidator : public std::enable_shared_from_this<StreamValidator> {
 public:
  using Clock = std::chrono::steady_clock;

  StreamValidator(boost::asio::any_io_executor executor, TokenValidatorOptions options,
                  std::shared_ptr<platform::grpc::Channel> channel,
                  std::shared_ptr<ValidationMetrics> metrics);

  // As TokenValidator::Validate, but `authorization` must outlive the task and have at most 64 KiB.
  // Returns nullopt if the customers service does not implement the stream.
  platform::Task<std::optional<platform::Result<Caller>>> Validate(std::string_view authorization,
                                                                   Origin origin,
                                                                   Clock::time_point deadline);

  // Returns the number of validations that were sent and whose deadline has passed without a
  // verdict, and the bytes of their headers. The customers service may still be working on them,
  // and some may still be waiting to be sent.
  std::size_t overdue() const { return overdue_; }
  std::size_t overdue_bytes() const { return overdue_bytes_; }

  // Ends the waiting validations with kUnavailable. Call it once, after all other calls.
  void Close();

 private:
  // A validation whose caller waits. It lives in the caller's coroutine.
  struct Validation {
    std::string_view authorization;
    Origin origin;
    Clock::time_point deadline;
    bool is_repeated = false;  // It was sent on an earlier stream, which has ended.
    std::optional<platform::Result<Caller>> verdict{};
    std::move_only_function<void()> resume{};  // Resumes the caller.
  };

  // A stream, and what was sent on it without a verdict.
  struct Stream {
    std::shared_ptr<platform::grpc::ClientCall> call;
    // The ids in each of its messages that may not have been sent yet, and the number of messages
    // before them.
    std::deque<std::vector<std::uint64_t>> unsent_messages{};
    std::size_t sent_messages = 0;
    bool is_heard = false;    // It has brought a verdict.
    std::size_t awaited = 0;  // Validations whose callers wait.
    std::size_t overdue = 0;  // Validations whose deadline has passed.
    // The time of the latest verdict, or of the first message after it. Unset while no verdicts are
    // awaited.
    std::optional<Clock::time_point> quiet_since{};
  };
  using StreamNumber = std::uint64_t;  // 0 is no stream.

  void Start(Validation& validation);

  bool MaySend() const { return current_ != 0 || !health_.IsBackingOff(); }
  void ScheduleMessage();
  void SendMessages();
  void OpenStream();
  void WatchTurn();
  void OnTurnEnd();
  std::size_t Awaited() const;

  static platform::Task<void> ReadStream(std::weak_ptr<StreamValidator> self, StreamNumber number,
                                         std::shared_ptr<platform::grpc::ClientCall> call);
  void OnMessage(StreamNumber number, Stream& stream, const std::string& bytes);
  bool SettleAll(StreamNumber number, Stream& stream, v1::ValidateTokensResponse& message);
  static void ForgetSentMessages(Stream& stream);
  void ForgetOverdue(Stream& stream, std::size_t bytes);
  void Settle(Validation& validation, std::optional<platform::Result<Caller>> verdict);
  void ResumeSettled();
  void SendIfAnswered();
  void OnStreamEnd(StreamNumber number, platform::grpc::StatusCode status);
  void TakeBackUnsent(Stream& stream);
  void SettleOrRepeat(StreamNumber number, Stream& stream, bool is_unimplemented);
  void NoteLoss(const Stream& stream, platform::grpc::StatusCode status);
  void BackOff(std::chrono::milliseconds pause);

  void WatchDeadline(Clock::time_point deadline);
  void OnDeadline();
  bool IsDead(const Stream& stream, Clock::time_point now) const;
  void GiveUp(StreamNumber number);

  // Makes a handler that does nothing once the validator is gone.
  template <class F>
  auto Weakly(F handler) {
    return [self = weak_from_this(), handler]<class... Args>(Args&&... args) {
      if (const auto validator = self.lock()) {
        std::invoke(handler, *validator, std::forward<Args>(args)...);
      }
    };
  }

  const boost::asio::any_io_executor executor_;
  const TokenValidatorOptions options_;
  const std::shared_ptr<ValidationMetrics> metrics_;
  const std::shared_ptr<platform::grpc::Channel> channel_;

  // A validation without a verdict. `validation` is null once it is overdue, because its caller no
  // longer waits, but the customers service has yet to answer it.
  struct Open {
    Validation* validation;
    std::size_t bytes;        // Size of its header.
    StreamNumber stream = 0;  // On which it was sent.
  };
  boost::unordered_flat_map<std::uint64_t, Open> open_;  // By id.
  std::vector<std::uint64_t> unsent_;                    // Some may not be open any more.
  std::deque<Validation*> settled_;  // Have a verdict, but their callers have yet to be resumed.
  std::uint64_t next_id_ = 1;

  std::map<StreamNumber, Stream> streams_;
  StreamNumber current_ = 0;  // On which validations are sent.
  StreamNumber last_number_ = 0;
  std::size_t overdue_ = 0;  // Of all streams.
  std::size_t overdue_bytes_ = 0;

  PeerHealth health_;
  Clock::time_point last_sent_{};   // The latest message.
  bool is_message_posted_ = false;  // It will be sent at the end of this turn of the loop.
  bool is_message_timed_ = false;   // message_timer_ is set.
  boost::asio::steady_timer message_timer_{executor_};
  boost::asio::steady_timer turn_timer_{executor_};
  boost::asio::steady_timer backoff_timer_{executor_};
  boost::asio::steady_timer deadline_timer_{executor_};
  std::optional<Clock::time_point> watched_;  // The time to which deadline_timer_ is set.
};

}  // namespace customers::client
