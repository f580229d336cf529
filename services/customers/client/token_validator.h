#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/grpc/host_and_port.h"
#include "platform/grpc/tls.h"
#include "services/customers/client/caller.h"
#include "services/customers/client/validation_metrics.h"

namespace customers::client {

class StreamValidator;
class UnaryValidator;

// Reason for rejecting a header locally, without asking the customers service.
inline constexpr const char* kInvalidHeader = "Invalid authorization header";

// Identifies the request that a token came with in the logs of both services.
struct Origin {
  std::string_view request_id;
  std::string_view traceparent;  // The value of the header of that name.
};

struct TokenValidatorOptions {
  // The replicas of the customers service; see platform::grpc::Channel.
  std::vector<platform::grpc::HostAndPort> replicas;
  platform::grpc::TlsFiles tls;

  // Maximum duration of a validation, including connecting and a repeated attempt.
  std::chrono::milliseconds timeout{2000};
  // Maximum number of validations in flight, and of the bytes of their headers. Validations beyond
  // these bounds fail at once with kUnavailable. A validation sent over a stream counts until its
  // verdict arrives or the stream ends, even after its deadline.
  std::size_t max_in_flight = 2048;
  std::size_t max_in_flight_bytes = std::size_t{1} << 20;

  // Maximum time for which a message waits for the verdicts on earlier ones.
  std::chrono::microseconds unanswered_message_interval{10'000};
  // Time after which validations are sent on another stream, which leads to the next replica.
  std::chrono::milliseconds stream_turn{100};
  // Longest pause between the loss of a stream and the next one, if no other replica is connected;
  // the shortest is half of it. It is short because the channel's own back-off adds to it: a stream
  // that is opened during that back-off sends nothing.
  std::chrono::milliseconds reopen_pause{100};
  // How long to use unary calls after the customers service reports that it does not implement the
  // stream.
  std::chrono::milliseconds unary_period{60'000};
};

// What a service uses to validate the tokens of its requests. A validation is one token's request
// to the customers service, and a verdict is the response. Validations travel over a stream, or as
// unary calls where the customers service does not implement the stream. Verdicts are not cached,
// so the deletion of a user or a change of a password takes effect at once.
//
// Belongs to one worker's event loop: used on its thread alone, and destroyed there or after the
// loop has ended. Validations that are waiting at that time fail with kUnavailable.
class TokenValidator {
 public:
  TokenValidator(const boost::asio::any_io_executor& executor, TokenValidatorOptions options);
  ~TokenValidator();
  TokenValidator(const TokenValidator&) = delete;
  TokenValidator& operator=(const TokenValidator&) = delete;

  // Returns the user of a token. `authorization` is the value of the Authorization header,
  // unparsed, or empty if the request has none; it is copied before the task first suspends.
  // `origin` must outlive the task. Errors: kPermissionDenied, with the reason to show to the
  // client, if the token is refused; kUnavailable if there is no verdict before the deadline, or if
  // too many validations are in flight.
  platform::Task<platform::Result<Caller>> Validate(std::string_view authorization, Origin origin);

  // Returns whether the customers service answers within a second. The bounds of validations do not
  // apply.
  platform::Task<bool> IsReachable();

  // May be called on any thread.
  const ValidationMetrics& metrics() const { return *metrics_; }

 private:
  using Clock = std::chrono::steady_clock;
  class InFlight;

  // As Validate, but without the bounds; `authorization` must outlive the task.
  platform::Task<platform::Result<Caller>> ValidateUnbounded(std::string_view authorization,
                                                             Origin origin,
                                                             Clock::time_point deadline);
  bool HasRoomFor(std::string_view authorization) const;
  void NoteWhetherStream(bool has_stream);

  const TokenValidatorOptions options_;
  // Shared with the validations in flight, which may outlive the validator.
  const std::shared_ptr<ValidationMetrics> metrics_ = std::make_shared<ValidationMetrics>();
  const std::shared_ptr<InFlight> in_flight_;
  std::shared_ptr<StreamValidator> stream_;
  std::shared_ptr<UnaryValidator> unary_;
  Clock::time_point unary_until_{};
  bool is_unary_ = false;
};

}  // namespace customers::client
