#include "services/customers/client/stream_validator.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "platform/grpc/channel.h"
#include "platform/log/log.h"

namespace customers::client {
namespace {

namespace asio = boost::asio;
using platform::Error;
using platform::Result;

// Maximum number of validations in a message, as token_validation.proto states it.
constexpr int kMaxMessageValidations = 1024;
// Maximum size of their headers, in bytes; far below the limit of a gRPC message.
constexpr std::size_t kMaxMessageBytes = std::size_t{256} << 10;

// Packs validations into as few messages as their number and size permit.
class Packer {
 public:
  void Add(std::uint64_t id, std::string_view authorization, const Origin& origin) {
    bytes_ += authorization.size();
    if (messages_.empty() || messages_.back().queries_size() == kMaxMessageValidations ||
        bytes_ > kMaxMessageBytes) {
      messages_.emplace_back();
      bytes_ = authorization.size();
    }
    v1::TokenQuery& query = *messages_.back().add_queries();
    query.set_id(id);
    query.set_authorization(authorization.data(), authorization.size());
    query.set_request_id(origin.request_id.data(), origin.request_id.size());
    query.set_traceparent(origin.traceparent.data(), origin.traceparent.size());
    ++count_;
  }

  std::size_t count() const { return count_; }
  std::vector<v1::ValidateTokensRequest> TakeMessages() { return std::move(messages_); }

 private:
  std::vector<v1::ValidateTokensRequest> messages_;
  std::size_t bytes_ = 0;  // Size of the headers in the last message.
  std::size_t count_ = 0;
};

std::unique_ptr<v1::TokenValidation::Stub> Connect(const TokenValidatorOptions& options) {
  return v1::TokenValidation::NewStub(platform::grpc::MakeChannel(
      {.host = options.host, .port = options.port, .tls = options.tls}));
}

Result<Caller> Unavailable() { return std::unexpected(Error::Unavailable()); }

Result<Caller> ToResult(v1::Verdict verdict) {
  switch (verdict.outcome_case()) {
    case v1::Verdict::kIdentity: {
      v1::Identity& identity = *verdict.mutable_identity();
      return Caller{.id = identity.user_id(),
                    .email = std::move(*identity.mutable_email()),
                    .is_admin = identity.is_admin()};
    }
    case v1::Verdict::kRefusal:
      return std::unexpected(
          Error::PermissionDenied(std::move(*verdict.mutable_refusal()->mutable_message())));
    case v1::Verdict::kUnavailable:
      return std::unexpected(Error::Unavailable(std::chrono::seconds{
          std::max(verdict.unavailable().retry_after_seconds(), std::uint32_t{1})}));
    case v1::Verdict::OUTCOME_NOT_SET:
      break;
  }
  return Unavailable();
}

}  // namespace

StreamValidator::StreamValidator(asio::any_io_executor executor, TokenValidatorOptions options,
                                 std::shared_ptr<ValidationMetrics> metrics)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      metrics_(std::move(metrics)),
      stub_(Connect(options_)),
      pacing_(options_.message_interval, options_.unanswered_message_interval),
      // The maximum duration of a validation, less the time that it may wait for its message.
      health_(options_.reopen_pause, options_.timeout - options_.unanswered_message_interval) {}

platform::Task<std::optional<Result<Caller>>> StreamValidator::Validate(
    std::string_view authorization, Origin origin, Clock::time_point deadline) {
  if (health_.IsBackingOff() && health_.IsAway()) co_return Unavailable();
  Validation validation{.authorization = authorization, .origin = origin, .deadline = deadline};
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [&](auto handler) {
        validation.resume = [handler = std::move(handler)] mutable { std::move(handler)(); };
        Start(validation);
      },
      asio::use_awaitable);
  co_return std::move(validation.verdict);
}

void StreamValidator::Close() {
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->Abandon();
  for (const auto& [id, open] : std::exchange(open_, {})) {
    if (open.validation != nullptr) settled_.push_back(open.validation);
  }
  for (Validation* validation : std::exchange(settled_, {})) {
    validation->verdict = Unavailable();
    asio::post(executor_, std::move(validation->resume));
  }
  // No thread of gRPC may still use a stream when the process exits.
  for (const std::future<void>& ended : endings_) ended.wait();
}

void StreamValidator::Start(Validation& validation) {
  // An id is never used twice, on any stream.
  const std::uint64_t id = next_id_++;
  open_.emplace(id, Open{.validation = &validation, .bytes = validation.authorization.size()});
  unsent_.push_back(id);
  WatchDeadline(validation.deadline);
  if (!health_.IsBackingOff()) ScheduleMessage();
}

// Schedules a message with all validations that arrive until the end of this turn of the loop, or
// until the next message is due.
void StreamValidator::ScheduleMessage() {
  const auto due = pacing_.Plan(awaited_ > 0);
  if (!due) return;
  message_timer_.cancel();
  if (*due <= Clock::now()) {
    asio::post(executor_, Weakly(&StreamValidator::SendMessages));
  } else {
    message_timer_.expires_at(*due);
    message_timer_.async_wait(
        Weakly([](StreamValidator& validator, const boost::system::error_code& error) {
          if (!error) validator.SendMessages();
        }));
  }
}

// Sends the validations that have not been sent, on a new stream if none is open.
void StreamValidator::SendMessages() {
  pacing_.ClearPlan();
  if (health_.IsBackingOff()) return;
  Packer packer;
  for (const std::uint64_t id : std::exchange(unsent_, {})) {
    const auto found = open_.find(id);
    if (found == open_.end()) continue;  // Its deadline has passed.
    Validation& validation = *found->second.validation;
    validation.is_sent = true;
    packer.Add(id, validation.authorization, validation.origin);
  }
  if (packer.count() == 0) return;
  const auto now = Clock::now();
  pacing_.OnSent(now);
  health_.OnSent(now);
  if (stream_ == nullptr) OpenStream();
  awaited_ += packer.count();
  metrics_->batch_sizes.Observe(std::uint64_t{packer.count()});
  stream_->Send(packer.TakeMessages());
}

void StreamValidator::OpenStream() {
  health_.OnOpened();
  std::erase_if(endings_, [](const std::future<void>& ended) {
    return ended.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
  });
  std::promise<void> ended;
  endings_.push_back(ended.get_future());
  const std::uint64_t number = ++stream_number_;
  auto on_received = Weakly([number](StreamValidator& validator) {
    if (validator.stream_number_ == number) validator.OnReceived();
  });
  stream_ = ValidationStream::Start(*stub_, executor_, std::move(on_received), std::move(ended));
}

void StreamValidator::OnReceived() {
  if (stream_ == nullptr) return;
  ValidationStream::Received received = stream_->Take();
  const bool has_verdicts = std::ranges::any_of(
      received.messages, [](const auto& message) { return message.verdicts_size() > 0; });
  const bool are_known = SettleAll(received.messages);
  if (has_verdicts && health_.OnVerdicts(Clock::now(), awaited_ > 0)) {
    platform::log::Info("customers answers again");
  }
  if (!are_known) {
    platform::log::Warning("customers gave a verdict on an unknown id");
    stream_->Abandon();
    OnStreamEnd(::grpc::Status(::grpc::StatusCode::INTERNAL, "unknown id"));
  } else if (received.end) {
    OnStreamEnd(*received.end);
  } else {
    SendIfAnswered();
  }
  ResumeSettled();
}

// Returns false if a verdict has an id that is not open on this stream. The verdicts behind it are
// dropped.
bool StreamValidator::SettleAll(std::vector<v1::ValidateTokensResponse>& messages) {
  for (v1::ValidateTokensResponse& message : messages) {
    for (v1::Verdict& verdict : *message.mutable_verdicts()) {
      const auto found = open_.find(verdict.id());
      if (found == open_.end()) return false;
      const auto [validation, bytes] = found->second;
      if (validation != nullptr && !validation->is_sent) return false;
      open_.erase(found);
      if (validation == nullptr) {
        --overdue_;
        overdue_bytes_ -= bytes;
      } else {
        --awaited_;
        Settle(*validation, ToResult(std::move(verdict)));
      }
    }
  }
  return true;
}

// Stores the verdict. ResumeSettled() resumes the caller afterwards.
void StreamValidator::Settle(Validation& validation, std::optional<Result<Caller>> verdict) {
  validation.verdict = std::move(verdict);
  settled_.push_back(&validation);
}

// Must be the last step of an event, because a caller may do anything, even destroy the owner. That
// calls Close(), which ends the remaining validations with kUnavailable.
void StreamValidator::ResumeSettled() {
  try {
    while (!settled_.empty()) {
      Validation* const validation = settled_.front();
      settled_.pop_front();
      std::exchange(validation->resume, nullptr)();
    }
  } catch (...) {
    asio::post(executor_, Weakly(&StreamValidator::ResumeSettled));
    throw;
  }
}

// Once all validations that were sent have their verdicts, the unsent ones need not wait longer.
void StreamValidator::SendIfAnswered() {
  if (stream_ != nullptr && awaited_ == 0 && !unsent_.empty()) ScheduleMessage();
}

// Called when the stream has ended or is given up. Decides which validations are sent on the next
// stream.
void StreamValidator::OnStreamEnd(const ::grpc::Status& status) {
  for (const v1::ValidateTokensRequest& message : std::exchange(stream_, nullptr)->TakeUnsent()) {
    for (const v1::TokenQuery& query : message.queries()) {
      const auto found = open_.find(query.id());
      if (found == open_.end()) continue;
      if (Validation* const validation = found->second.validation) validation->is_sent = false;
    }
  }
  awaited_ = 0;
  overdue_ = 0;
  overdue_bytes_ = 0;

  const bool is_unimplemented = status.error_code() == ::grpc::StatusCode::UNIMPLEMENTED;
  if (is_unimplemented) {
    health_.OnUnimplemented();
  } else {
    const PeerHealth::Loss loss = health_.OnLost();
    if (loss.is_first) {
      platform::log::Warning("the stream to customers is lost",
                             {{"grpc_status", static_cast<int>(status.error_code())}});
    }
    BackOff(loss.pause);
  }

  unsent_.clear();
  boost::unordered::erase_if(open_, [&](const auto& entry) {
    const std::uint64_t id = entry.first;
    Validation* const validation = entry.second.validation;
    if (validation == nullptr) return true;
    if (is_unimplemented) {
      Settle(*validation, std::nullopt);
      return true;
    }
    if (health_.IsAway() || (validation->is_sent && validation->is_repeated)) {
      Settle(*validation, Unavailable());
      return true;
    }
    if (std::exchange(validation->is_sent, false)) {
      validation->is_repeated = true;
      metrics_->repeated.Add();
    }
    unsent_.push_back(id);
    return false;
  });
}

void StreamValidator::BackOff(std::chrono::milliseconds pause) {
  backoff_timer_.expires_after(pause);
  backoff_timer_.async_wait(
      Weakly([](StreamValidator& validator, const boost::system::error_code&) {
        validator.health_.OnBackOffEnded();
        validator.SendMessages();
      }));
}

// One timer serves all validations: it is set to the earliest deadline.
void StreamValidator::WatchDeadline(Clock::time_point deadline) {
  if (watched_ && *watched_ <= deadline) return;
  watched_ = deadline;
  deadline_timer_.expires_at(deadline);
  deadline_timer_.async_wait(
      Weakly([](StreamValidator& validator, const boost::system::error_code& error) {
        if (!error) validator.OnDeadline();
      }));
}

void StreamValidator::OnDeadline() {
  watched_.reset();
  const auto now = Clock::now();
  auto next = Clock::time_point::max();
  boost::unordered::erase_if(open_, [&](auto& entry) {
    auto& [validation, bytes] = entry.second;
    if (validation == nullptr) return false;
    if (validation->deadline > now) {
      next = std::min(next, validation->deadline);
      return false;
    }
    Settle(*validation, Unavailable());
    if (!std::exchange(validation, nullptr)->is_sent) return true;
    --awaited_;
    ++overdue_;
    overdue_bytes_ += bytes;
    return false;
  });
  if (next != Clock::time_point::max()) WatchDeadline(next);

  // If overdue validations alone could reach the bound of validations in flight, no new validation
  // would be sent, and a dead stream would never be replaced.
  const bool is_dead = health_.IsSilent(now) || overdue_ >= options_.max_in_flight / 2 ||
                       overdue_bytes_ >= options_.max_in_flight_bytes / 2;
  if (stream_ != nullptr && is_dead && !settled_.empty()) {
    stream_->Abandon();
    // The connection is replaced too, because on a dead connection the next stream would also be
    // silent until a ping detects that.
    stub_ = Connect(options_);
    OnStreamEnd(::grpc::Status(::grpc::StatusCode::DEADLINE_EXCEEDED, "no verdicts"));
  } else {
    SendIfAnswered();
  }
  ResumeSettled();
}

}  // namespace customers::client
