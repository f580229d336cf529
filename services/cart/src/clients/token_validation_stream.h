#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

#include "platform/result/result.h"
#include "platform/runtime/task.h"
#include "services/cart/src/clients/user_auth_client.h"
#include "services/cart/src/clients/validation_metrics.h"
#include "services/cart/src/domain/caller.h"

namespace cart {

struct TokenValidationStreamOptions {
  UserAuthClientOptions customers;
  // Validations without an answer; one more is kUnavailable at once. Those whose deadline has
  // passed count until customers answers or the stream ends.
  std::size_t max_in_flight = 2048;
  // Least time between two messages. Messages, and the wake-ups of gRPC's threads on both sides,
  // cost far more than the queries in them: under load each carries more, and a lone query does not
  // wait.
  std::chrono::microseconds message_interval{500};
  // The same while the last message has not been answered in full.
  std::chrono::microseconds unanswered_message_interval{10'000};
  // Between the loss of a stream and the next attempt; doubles up to the maximum, with jitter.
  std::chrono::milliseconds initial_backoff{50};
  std::chrono::milliseconds max_backoff{500};
  std::shared_ptr<ValidationMetrics> metrics = std::make_shared<ValidationMetrics>();
};

// Validates tokens over one stream of customers.v1.TokenValidation, which is opened at the first
// validation and kept. What is asked while a message is unanswered, or before the next one is due,
// travels together.
//
// When the stream breaks, what waits is asked once more on the next one. When two attempts in a row
// have brought no verdict, customers counts as away: what waits is kUnavailable, and what is asked
// before the next attempt too, at once. A stream that is silent until a deadline has passed, or
// that brings a verdict on an unknown id, is given up, a silent one with its connection.
//
// It belongs to one event loop: constructed, used and destroyed on its thread.
class TokenValidationStream {
 public:
  TokenValidationStream(const boost::asio::any_io_executor& executor,
                        TokenValidationStreamOptions options);
  // Ends what waits with kUnavailable. Blocks for a moment, until gRPC has ended the stream.
  ~TokenValidationStream();
  TokenValidationStream(const TokenValidationStream&) = delete;
  TokenValidationStream& operator=(const TokenValidationStream&) = delete;

  // As TokenValidator::Validate, but for an authorization that outlives the task, of at most 64
  // KiB, and also kNotImplemented: customers has no such stream.
  platform::Task<platform::Result<Caller>> Validate(std::string_view authorization, Origin origin,
                                                    std::chrono::milliseconds timeout);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace cart
