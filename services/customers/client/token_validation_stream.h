#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "services/customers/client/caller.h"
#include "services/customers/client/user_auth_client.h"
#include "services/customers/client/validation_metrics.h"

namespace customers::client {

struct TokenValidationStreamOptions {
  UserAuthClientOptions customers;
  // Least time between two messages. Messages, and the wake-ups of gRPC's threads on both sides,
  // cost far more than the queries in them: under load each carries more, and a lone query does not
  // wait.
  std::chrono::microseconds message_interval{500};
  // The same while the last message has not been answered in full.
  std::chrono::microseconds unanswered_message_interval{10'000};
  // The longest pause between the loss of a stream and the next attempt; the shortest is half of
  // it. Short, because the channel's own back-off comes on top: while it lasts, attempts send
  // nothing.
  std::chrono::milliseconds reopen_pause{100};
  std::shared_ptr<ValidationMetrics> metrics = std::make_shared<ValidationMetrics>();
};

// Validates tokens over one stream of customers.v1.TokenValidation, which is opened at the first
// validation and kept. What is asked while a message is unanswered, or before the next one is due,
// travels together.
//
// When the stream breaks, what waits is asked once more on the next one. When two attempts in a row
// have brought no verdict, customers counts as away: what waits is kUnavailable, and what is asked
// before the next attempt too, at once. A stream that brings nothing for as long as a validation
// may take is given up with its connection, and so is one with `max_overdue` questions whose
// deadline has passed without a verdict; one that brings a verdict on an unknown id is given up
// too.
//
// It belongs to one event loop: constructed, used and destroyed on its thread.
class TokenValidationStream {
 public:
  TokenValidationStream(const boost::asio::any_io_executor& executor,
                        TokenValidationStreamOptions options, std::size_t max_overdue);
  // Ends what waits with kUnavailable. Blocks for a moment, until gRPC has ended the stream.
  ~TokenValidationStream();
  TokenValidationStream(const TokenValidationStream&) = delete;
  TokenValidationStream& operator=(const TokenValidationStream&) = delete;

  // None where customers has no such stream.
  using Answer = std::optional<platform::Result<Caller>>;

  // As TokenValidator::Validate, but for an authorization that outlives the task, of at most 64
  // KiB.
  platform::Task<Answer> Validate(std::string_view authorization, Origin origin,
                                  std::chrono::steady_clock::time_point deadline);

  // Questions whose deadline has passed, but which customers may still be at work on.
  std::size_t overdue() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace customers::client
