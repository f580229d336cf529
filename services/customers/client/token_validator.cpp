#include "services/customers/client/token_validator.h"

#include <boost/asio/this_coro.hpp>
#include <memory>
#include <string_view>
#include <utility>

#include "platform/grpc/channel.h"
#include "platform/log/log.h"
#include "platform/trace/traced_executor.h"
#include "services/customers/client/stream_validator.h"
#include "services/customers/client/unary_validator.h"

namespace customers::client {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;

constexpr std::chrono::seconds kReachableTimeout{1};
constexpr std::size_t kMaxAuthorizationBytes = std::size_t{64} << 10;

bool IsUnavailable(const Result<Caller>& verdict) {
  return !verdict && verdict.error().code == ErrorCode::kUnavailable;
}

// The span of a validation, if its request's span is recorded.
class ValidationSpan {
 public:
  // `parents` may be null; it has at most one span, because a validation is for one request.
  explicit ValidationSpan(std::shared_ptr<const platform::trace::Parents> parents)
      : parents_(std::move(parents)) {
    if (parents_ == nullptr) return;
    context_ = parents_->spans.front().NewSpan();
    start_ = platform::trace::SpanClock::now();
  }

  // Makes the span the one that the customers service continues.
  void Identify(Origin& origin) const {
    if (context_) origin.traceparent = context_->traceparent();
  }

  void End(const Result<Caller>& verdict) const {
    if (!context_) return;
    const bool is_failed = !verdict && verdict.error().code != ErrorCode::kPermissionDenied;
    std::optional<std::string_view> error;
    if (is_failed) error = "unavailable";
    parents_->tracer.Record({.context = *context_,
                             .parent_id = parents_->spans.front().span_id(),
                             .kind = platform::trace::SpanKind::kClient,
                             .name = "validate token",
                             .start = start_,
                             .end = platform::trace::SpanClock::now(),
                             .is_failed = is_failed},
                            {{"rpc.system", "grpc"},
                             {"microcart.token.accepted", verdict.has_value()},
                             {"error.type", error}});
  }

 private:
  const std::shared_ptr<const platform::trace::Parents> parents_;
  std::optional<platform::trace::TraceContext> context_;
  platform::trace::SpanClock::time_point start_;
};

}  // namespace

// The validations in flight, and the bytes of their headers.
class TokenValidator::InFlight {
 public:
  // Counts one validation while it exists.
  class Place {
   public:
    Place(std::shared_ptr<InFlight> all, std::size_t bytes) : all_(std::move(all)), bytes_(bytes) {
      ++all_->validations_;
      all_->bytes_ += bytes_;
    }
    ~Place() {
      --all_->validations_;
      all_->bytes_ -= bytes_;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    const std::shared_ptr<InFlight> all_;
    const std::size_t bytes_;
  };

  std::size_t validations() const { return validations_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t validations_ = 0;
  std::size_t bytes_ = 0;
};

TokenValidator::TokenValidator(const boost::asio::any_io_executor& executor,
                               TokenValidatorOptions options)
    : options_(std::move(options)), in_flight_(std::make_shared<InFlight>()) {
  // The stream and the calls share their connections.
  const auto channel = std::make_shared<platform::grpc::Channel>(
      executor, platform::grpc::ChannelOptions{.hosts = options_.replicas, .tls = options_.tls});
  stream_ = std::make_shared<StreamValidator>(executor, options_, channel, metrics_);
  unary_ = std::make_shared<UnaryValidator>(channel);
}

TokenValidator::~TokenValidator() { stream_->Close(); }

Task<Result<Caller>> TokenValidator::Validate(std::string_view authorization, Origin origin) {
  if (authorization.empty() || authorization.size() > kMaxAuthorizationBytes) {
    co_return std::unexpected(Error::PermissionDenied(kInvalidHeader));
  }
  CountedValidation counted(metrics_);
  const ValidationSpan span(platform::trace::ParentsOf(co_await boost::asio::this_coro::executor));
  span.Identify(origin);
  Result<Caller> verdict = std::unexpected(Error::Unavailable());
  if (HasRoomFor(authorization)) {
    const InFlight::Place place(in_flight_, authorization.size());
    const std::string copy(authorization);
    verdict = co_await ValidateUnbounded(copy, origin, Clock::now() + options_.timeout);
  }
  counted.End(verdict);
  span.End(verdict);
  co_return verdict;
}

Task<bool> TokenValidator::IsReachable() {
  // An empty token is enough for a probe: a server that can refuse it can validate real tokens.
  co_return !IsUnavailable(co_await ValidateUnbounded("", {}, Clock::now() + kReachableTimeout));
}

Task<Result<Caller>> TokenValidator::ValidateUnbounded(std::string_view authorization,
                                                       Origin origin, Clock::time_point deadline) {
  if (Clock::now() >= unary_until_) {
    std::optional<Result<Caller>> verdict =
        co_await stream_->Validate(authorization, origin, deadline);
    // This check comes first, because the validator may have been destroyed meanwhile.
    if (verdict && IsUnavailable(*verdict)) co_return *std::move(verdict);
    NoteWhetherStream(verdict.has_value());
    if (verdict) co_return *std::move(verdict);
  }
  const auto unary = unary_;  // The validator may be destroyed during the call.
  co_return co_await unary->Validate(authorization, origin, deadline);
}

bool TokenValidator::HasRoomFor(std::string_view authorization) const {
  return in_flight_->validations() + stream_->overdue() < options_.max_in_flight &&
         in_flight_->bytes() + stream_->overdue_bytes() + authorization.size() <=
             options_.max_in_flight_bytes;
}

void TokenValidator::NoteWhetherStream(bool has_stream) {
  if (!has_stream) unary_until_ = Clock::now() + options_.unary_period;
  if (std::exchange(is_unary_, !has_stream) == !has_stream) return;
  platform::log::Info(has_stream ? "customers has a stream: validating over it"
                                 : "customers has no stream: validating by unary calls");
}

}  // namespace customers::client
