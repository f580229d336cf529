#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "services/customers/client/message_pacing.h"
#include "services/customers/client/peer_health.h"
#include "services/customers/client/token_validator.h"
#include "services/customers/client/validation_stream.h"

namespace customers::client {

// Validates tokens over a stream of customers.v1.TokenValidation, which is opened for the first
// validation, kept, and replaced when it is lost.
//
// When a stream is lost, the waiting validations are sent once more on the next one. While the
// customers service counts as away (PeerHealth), waiting and new validations fail with kUnavailable
// at once, until the next stream is opened. A stream is given up together with its connection if it
// is silent, or if half of max_in_flight or of max_in_flight_bytes is overdue. A stream that brings
// a verdict with an unknown id is given up, but its connection is kept.
//
// Belongs to one event loop. It is held by a std::shared_ptr, because handlers on that loop may run
// after the owner is gone. They hold a weak pointer, and do nothing if it has expired.
class StreamValidator : public std::enable_shared_from_this<StreamValidator> {
 public:
  using Clock = std::chrono::steady_clock;

  StreamValidator(boost::asio::any_io_executor executor, TokenValidatorOptions options,
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

  // Ends the waiting validations with kUnavailable. Blocks for a moment, until gRPC has ended the
  // streams. Call it once, after all other calls.
  void Close();

 private:
  // A validation whose caller waits. It lives in the caller's coroutine.
  struct Validation {
    std::string_view authorization;
    Origin origin;
    Clock::time_point deadline;
    bool is_sent = false;      // It was sent on the present stream.
    bool is_repeated = false;  // It was sent on an earlier stream, which was lost.
    std::optional<platform::Result<Caller>> verdict{};
    std::move_only_function<void()> resume{};  // Resumes the caller.
  };

  void Start(Validation& validation);

  void ScheduleMessage();
  void SendMessages();
  void OpenStream();

  void OnReceived();
  bool SettleAll(std::vector<v1::ValidateTokensResponse>& messages);
  void Settle(Validation& validation, std::optional<platform::Result<Caller>> verdict);
  void ResumeSettled();
  void SendIfAnswered();
  void OnStreamEnd(const ::grpc::Status& status);
  void BackOff(std::chrono::milliseconds pause);

  void WatchDeadline(Clock::time_point deadline);
  void OnDeadline();

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
  std::unique_ptr<v1::TokenValidation::Stub> stub_;

  // A validation without a verdict. `validation` is null once it is overdue, because its caller no
  // longer waits, but the customers service has yet to answer it.
  struct Open {
    Validation* validation;
    std::size_t bytes;  // Size of its header.
  };
  boost::unordered_flat_map<std::uint64_t, Open> open_;  // By id.
  std::vector<std::uint64_t> unsent_;                    // Some may not be open any more.
  std::deque<Validation*> settled_;  // Have a verdict, but their callers have yet to be resumed.
  std::uint64_t next_id_ = 1;

  std::shared_ptr<ValidationStream> stream_;  // Null while there is none.
  std::uint64_t stream_number_ = 0;
  std::vector<std::future<void>> endings_;  // One for each stream that gRPC may still use.
  std::size_t awaited_ = 0;  // Validations sent on the present stream, without a verdict.
  std::size_t overdue_ = 0;  // The same, but their deadline has passed.
  std::size_t overdue_bytes_ = 0;

  MessagePacing pacing_;
  PeerHealth health_;
  boost::asio::steady_timer message_timer_{executor_};
  boost::asio::steady_timer backoff_timer_{executor_};
  boost::asio::steady_timer deadline_timer_{executor_};
  std::optional<Clock::time_point> watched_;  // The time to which deadline_timer_ is set.
};

}  // namespace customers::client
