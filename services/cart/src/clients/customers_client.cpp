#include "services/cart/src/clients/customers_client.h"

#include <string>
#include <utility>

#include "platform/log/log.h"
#include "services/cart/src/clients/user_auth_client.h"

namespace cart {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kReachableTimeout{1};

// May mean that the client has been destroyed meanwhile.
bool IsUnavailable(const Result<Caller>& answer) {
  return !answer && answer.error().code == ErrorCode::kUnavailable;
}

class CustomersClient final : public TokenValidator {
 public:
  CustomersClient(const boost::asio::any_io_executor& executor, TokenValidatorOptions options)
      : timeout_(options.stream.customers.timeout),
        unary_period_(options.unary_period),
        metrics_(options.stream.metrics),
        unary_(MakeUserAuthClient(options.stream.customers)),
        stream_(executor, std::move(options.stream)) {}

  Task<Result<Caller>> Validate(std::string_view authorization, Origin origin) override {
    if (!MayBeAuthorization(authorization)) {
      co_return std::unexpected(Error::PermissionDenied(kInvalidHeader));
    }
    const std::string copy(authorization);
    CountedValidation counted(metrics_);
    if (HasStream()) {
      Result<Caller> answer = co_await stream_.Validate(copy, origin, timeout_);
      if (IsUnavailable(answer) || !NoteAnswer(answer)) {
        counted.End(answer);
        co_return answer;
      }
    }
    Result<Caller> answer = co_await unary_->Validate(copy, origin);
    counted.End(answer);
    co_return answer;
  }

  Task<bool> IsReachable() override {
    if (HasStream()) {
      // No token at all is refused by whoever can answer one.
      const Result<Caller> answer = co_await stream_.Validate("", {}, kReachableTimeout);
      if (IsUnavailable(answer)) co_return false;
      if (!NoteAnswer(answer)) {
        co_return answer || answer.error().code == ErrorCode::kPermissionDenied;
      }
    }
    co_return co_await unary_->IsReachable();
  }

 private:
  bool HasStream() const { return Clock::now() >= unary_until_; }

  // Whether the stream's answer is that there is none.
  bool NoteAnswer(const Result<Caller>& answer) {
    const bool is_missing = !answer && answer.error().code == ErrorCode::kNotImplemented;
    const bool was_unary = is_unary_;
    if (is_missing) {
      is_unary_ = true;
      unary_until_ = Clock::now() + unary_period_;
      if (!was_unary) platform::log::Info("customers has no stream: validating by unary calls");
    } else if (answer || answer.error().code == ErrorCode::kPermissionDenied) {
      is_unary_ = false;
      if (was_unary) platform::log::Info("customers has a stream: validating over it");
    }
    return is_missing;
  }

  const std::chrono::milliseconds timeout_;
  const std::chrono::milliseconds unary_period_;
  const std::shared_ptr<ValidationMetrics> metrics_;
  const std::unique_ptr<TokenValidator> unary_;
  TokenValidationStream stream_;
  Clock::time_point unary_until_{};
  bool is_unary_ = false;
};

}  // namespace

std::unique_ptr<TokenValidator> MakeTokenValidator(const boost::asio::any_io_executor& executor,
                                                   TokenValidatorOptions options) {
  return std::make_unique<CustomersClient>(executor, std::move(options));
}

}  // namespace cart
