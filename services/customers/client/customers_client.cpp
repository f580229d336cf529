#include "services/customers/client/customers_client.h"

#include <string>
#include <utility>

#include "platform/log/log.h"
#include "services/customers/client/user_auth_client.h"

namespace customers::client {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kReachableTimeout{1};
constexpr std::size_t kMaxAuthorizationBytes = std::size_t{64} << 10;

// What customers is being asked.
struct InFlight {
  std::size_t tokens = 0;
  std::size_t bytes = 0;  // Of their headers.
};

// Counts one of them for as long as it lives, which may be longer than the client does.
class Place {
 public:
  Place(std::shared_ptr<InFlight> all, std::size_t bytes) : all_(std::move(all)), bytes_(bytes) {
    ++all_->tokens;
    all_->bytes += bytes_;
  }
  ~Place() {
    --all_->tokens;
    all_->bytes -= bytes_;
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  const std::shared_ptr<InFlight> all_;
  const std::size_t bytes_;
};

// May mean that the client has been destroyed meanwhile.
bool IsUnavailable(const TokenValidationStream::Answer& answer) {
  return answer && !*answer && answer->error().code == ErrorCode::kUnavailable;
}

class CustomersClient final : public TokenValidator {
 public:
  CustomersClient(const boost::asio::any_io_executor& executor, TokenValidatorOptions options)
      : timeout_(options.stream.customers.timeout),
        unary_period_(options.unary_period),
        max_in_flight_(options.max_in_flight),
        max_in_flight_bytes_(options.max_in_flight_bytes),
        metrics_(options.stream.metrics),
        unary_(MakeUserAuthClient(options.stream.customers)),
        // Those left without a verdict must never fill the bound: the stream would stay.
        stream_(executor, std::move(options.stream), options.max_in_flight / 2) {}

  Task<Result<Caller>> Validate(std::string_view authorization, Origin origin) override {
    if (authorization.empty() || authorization.size() > kMaxAuthorizationBytes) {
      co_return std::unexpected(Error::PermissionDenied(kInvalidHeader));
    }
    CountedValidation counted(metrics_);
    TokenValidationStream::Answer answer;
    if (!HasRoomFor(authorization)) {
      answer = std::unexpected(Error::Unavailable());
      counted.End(*answer);
      co_return *std::move(answer);
    }
    const Place place(in_flight_, authorization.size());
    const std::string copy(authorization);
    const auto deadline = Clock::now() + timeout_;
    if (HasStream()) {
      answer = co_await stream_.Validate(copy, origin, deadline);
      if (!IsUnavailable(answer)) NoteWhetherStream(answer.has_value());
    }
    if (!answer) answer = co_await unary_->Validate(copy, origin, deadline);
    counted.End(*answer);
    co_return *std::move(answer);
  }

  Task<bool> IsReachable() override {
    const auto deadline = Clock::now() + kReachableTimeout;
    if (HasStream()) {
      // No token at all is refused by whoever can answer one.
      const auto answer = co_await stream_.Validate("", {}, deadline);
      if (IsUnavailable(answer)) co_return false;
      NoteWhetherStream(answer.has_value());
      if (answer) co_return true;
    }
    co_return co_await unary_->IsReachable(deadline);
  }

  void ReportTo(platform::telemetry::Report& report) const override { metrics_->ReportTo(report); }

 private:
  bool HasRoomFor(std::string_view authorization) const {
    return in_flight_->tokens + stream_.overdue() < max_in_flight_ &&
           in_flight_->bytes + authorization.size() <= max_in_flight_bytes_;
  }

  bool HasStream() const { return Clock::now() >= unary_until_; }

  void NoteWhetherStream(bool has_stream) {
    if (!has_stream) unary_until_ = Clock::now() + unary_period_;
    if (std::exchange(is_unary_, !has_stream) == !has_stream) return;
    platform::log::Info(has_stream ? "customers has a stream: validating over it"
                                   : "customers has no stream: validating by unary calls");
  }

  const std::chrono::milliseconds timeout_;
  const std::chrono::milliseconds unary_period_;
  const std::size_t max_in_flight_;
  const std::size_t max_in_flight_bytes_;
  const std::shared_ptr<ValidationMetrics> metrics_;
  const std::shared_ptr<InFlight> in_flight_ = std::make_shared<InFlight>();
  const std::unique_ptr<UserAuthClient> unary_;
  TokenValidationStream stream_;
  Clock::time_point unary_until_{};
  bool is_unary_ = false;
};

}  // namespace

std::unique_ptr<TokenValidator> MakeTokenValidator(const boost::asio::any_io_executor& executor,
                                                   TokenValidatorOptions options) {
  return std::make_unique<CustomersClient>(executor, std::move(options));
}

}  // namespace customers::client
