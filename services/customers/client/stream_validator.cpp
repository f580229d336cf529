#include "services/customers/client/stream_validator.h"

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "platform/log/log.h"

namespace customers::client {
namespace {

namespace asio = boost::asio;
using platform::Error;
using platform::Result;
using platform::grpc::ClientCall;
using platform::grpc::StatusCode;

constexpr const char* kMethod = "/customers.v1.TokenValidation/ValidateTokens";
// A bound for a server that does not end a half-closed stream.
constexpr std::chrono::seconds kMaxAge{60};
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
                                 std::shared_ptr<platform::grpc::Channel> channel,
                                 std::shared_ptr<ValidationMetrics> metrics)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      metrics_(std::move(metrics)),
      channel_(std::move(channel)),
      health_(options_.reopen_pause) {}

platform::Task<std::optional<Result<Caller>>> StreamValidator::Validate(
    std::string_view authorization, Origin origin, Clock::time_point deadline) {
  if (health_.IsBackingOff() && health_.IsAway() && current_ == 0) co_return Unavailable();
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
  for (auto& [number, stream] : std::exchange(streams_, {})) stream.call->Cancel();
  current_ = 0;
  for (const auto& [id, open] : std::exchange(open_, {})) {
    if (open.validation != nullptr) settled_.push_back(open.validation);
  }
  for (Validation* validation : std::exchange(settled_, {})) {
    validation->verdict = Unavailable();
    asio::post(executor_, std::move(validation->resume));
  }
}

void StreamValidator::Start(Validation& validation) {
  // An id is never used twice, on any stream.
  const std::uint64_t id = next_id_++;
  open_.emplace(id, Open{.validation = &validation, .bytes = validation.authorization.size()});
  unsent_.push_back(id);
  WatchDeadline(validation.deadline);
  ScheduleMessage();
}

// Has the unsent validations sent. If no verdicts are awaited on the current stream, that is at the
// end of this turn of the loop, with all others of the turn. Otherwise they gather until the last
// of these verdicts, or until the interval has passed.
void StreamValidator::ScheduleMessage() {
  if (!MaySend()) return;
  if (Awaited() == 0) {
    if (std::exchange(is_message_posted_, true)) return;
    asio::post(executor_, Weakly(&StreamValidator::SendMessages));
  } else if (!std::exchange(is_message_timed_, true)) {
    message_timer_.expires_at(last_sent_ + options_.unanswered_message_interval);
    message_timer_.async_wait(
        Weakly([](StreamValidator& validator, const boost::system::error_code& error) {
          if (!error) validator.SendMessages();
        }));
  }
}

// Sends the validations that have not been sent, on a new stream if there is no current one.
void StreamValidator::SendMessages() {
  is_message_posted_ = false;
  if (std::exchange(is_message_timed_, false)) message_timer_.cancel();
  if (!MaySend()) return;
  Packer packer;
  std::vector<Open*> packed;
  for (const std::uint64_t id : std::exchange(unsent_, {})) {
    const auto found = open_.find(id);
    if (found == open_.end()) continue;  // Its deadline has passed.
    packer.Add(id, found->second.validation->authorization, found->second.validation->origin);
    packed.push_back(&found->second);
  }
  if (packed.empty()) return;
  const auto now = Clock::now();
  last_sent_ = now;
  if (current_ == 0) OpenStream();
  for (Open* const open : packed) open->stream = current_;
  Stream& stream = streams_.at(current_);
  if (!stream.quiet_since) stream.quiet_since = now;
  stream.awaited += packed.size();
  metrics_->batch_sizes.Observe(std::uint64_t{packed.size()});
  for (const v1::ValidateTokensRequest& message : packer.TakeMessages()) {
    std::vector<std::uint64_t>& ids = stream.unsent_messages.emplace_back();
    for (const v1::TokenQuery& query : message.queries()) ids.push_back(query.id());
    stream.call->Send(message);
  }
  ForgetSentMessages(stream);
}

void StreamValidator::ForgetSentMessages(Stream& stream) {
  for (; stream.sent_messages < stream.call->sent_count(); ++stream.sent_messages) {
    stream.unsent_messages.pop_front();
  }
}

void StreamValidator::OpenStream() {
  current_ = ++last_number_;
  const auto call = channel_->Start(kMethod, {}, kMaxAge);
  streams_.emplace(current_, Stream{.call = call});
  asio::co_spawn(executor_, ReadStream(weak_from_this(), current_, call), asio::detached);
  WatchTurn();
}

platform::Task<void> StreamValidator::ReadStream(std::weak_ptr<StreamValidator> self,
                                                 StreamNumber number,
                                                 std::shared_ptr<ClientCall> call) {
  // A stream that ends at once must not end while it is being opened.
  co_await asio::post(call->executor(), asio::use_awaitable);
  for (;;) {
    const auto message = co_await call->Read();
    const auto validator = self.lock();
    if (validator == nullptr) co_return;
    const auto found = validator->streams_.find(number);
    if (found == validator->streams_.end()) co_return;
    if (message) {
      validator->OnMessage(number, found->second, *message);
    } else {
      validator->OnStreamEnd(number, call->status().code);
    }
    // Not here, because a caller may do anything, even throw an exception.
    asio::post(validator->executor_, validator->Weakly(&StreamValidator::ResumeSettled));
  }
}

void StreamValidator::WatchTurn() {
  turn_timer_.expires_after(options_.stream_turn);
  turn_timer_.async_wait(
      Weakly([](StreamValidator& validator, const boost::system::error_code& error) {
        if (!error) validator.OnTurnEnd();
      }));
}

// Half-closes the current stream, so that the next message opens another one, unless that would
// have to wait for a connection.
void StreamValidator::OnTurnEnd() {
  if (current_ == 0) return;
  if (health_.IsBackingOff() || !channel_->IsConnected()) {
    WatchTurn();
    return;
  }
  streams_.at(std::exchange(current_, 0)).call->EndSending();
  // The next stream need not wait for the verdicts of this one.
  if (!unsent_.empty()) ScheduleMessage();
}

// Returns the number of validations on the current stream whose callers wait.
std::size_t StreamValidator::Awaited() const {
  return current_ == 0 ? 0 : streams_.at(current_).awaited;
}

void StreamValidator::OnMessage(StreamNumber number, Stream& stream, const std::string& bytes) {
  v1::ValidateTokensResponse message;
  const bool is_readable = message.ParseFromString(bytes);
  const bool has_verdicts = message.verdicts_size() > 0;
  const bool are_known = SettleAll(number, stream, message);
  if (has_verdicts) {
    stream.is_heard = true;
    stream.quiet_since = stream.awaited > 0 ? std::optional(Clock::now()) : std::nullopt;
    if (health_.OnVerdicts()) platform::log::Info("customers answers again");
  }
  if (is_readable && are_known) {
    SendIfAnswered();
  } else {
    platform::log::Warning(is_readable ? "customers gave a verdict on an unknown id"
                                       : "customers sent a message that cannot be parsed");
    stream.call->Cancel();
    OnStreamEnd(number, StatusCode::kInternal);
  }
}

// Returns false if a verdict has an id that is not open on this stream. The verdicts behind it are
// dropped.
bool StreamValidator::SettleAll(StreamNumber number, Stream& stream,
                                v1::ValidateTokensResponse& message) {
  for (v1::Verdict& verdict : *message.mutable_verdicts()) {
    const auto found = open_.find(verdict.id());
    if (found == open_.end() || found->second.stream != number) return false;
    const Open open = found->second;
    open_.erase(found);
    if (open.validation == nullptr) {
      ForgetOverdue(stream, open.bytes);
    } else {
      --stream.awaited;
      Settle(*open.validation, ToResult(std::move(verdict)));
    }
  }
  return true;
}

void StreamValidator::ForgetOverdue(Stream& stream, std::size_t bytes) {
  --stream.overdue;
  --overdue_;
  overdue_bytes_ -= bytes;
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
  if (current_ != 0 && Awaited() == 0 && !unsent_.empty()) ScheduleMessage();
}

// Called when a stream has ended or is given up. Decides which of its validations are sent on
// another stream.
void StreamValidator::OnStreamEnd(StreamNumber number, StatusCode status) {
  Stream stream = std::move(streams_.extract(number).mapped());
  if (current_ == number) current_ = 0;
  // Nothing is lost with a stream that has brought all verdicts.
  const bool is_loss = stream.awaited + stream.overdue > 0;
  TakeBackUnsent(stream);
  const bool is_unimplemented = status == StatusCode::kUnimplemented;
  if (is_unimplemented) {
    health_.OnUnimplemented();
  } else if (is_loss) {
    NoteLoss(stream, status);
  }
  if (is_unimplemented || is_loss) {
    SettleOrRepeat(number, stream, is_unimplemented);
  }
  if (!unsent_.empty()) ScheduleMessage();
}

// Settles the validations of a stream that has ended, or has them sent again. Those that were not
// sent yet share its fate.
void StreamValidator::SettleOrRepeat(StreamNumber number, Stream& stream, bool is_unimplemented) {
  boost::unordered::erase_if(open_, [&](auto& entry) {
    auto& [id, open] = entry;
    const bool is_sent = open.stream == number;
    if (open.stream != 0 && !is_sent) return false;
    if (open.validation == nullptr) {
      ForgetOverdue(stream, open.bytes);
      return true;
    }
    if (is_unimplemented) {
      Settle(*open.validation, std::nullopt);
      return true;
    }
    if ((current_ == 0 && health_.IsAway()) || (is_sent && open.validation->is_repeated)) {
      Settle(*open.validation, Unavailable());
      return true;
    }
    if (is_sent) {
      open.stream = 0;
      open.validation->is_repeated = true;
      unsent_.push_back(id);
      metrics_->repeated.Add();
    }
    return false;
  });
}

// The validations of messages that the connection has not taken have not been sent.
void StreamValidator::TakeBackUnsent(Stream& stream) {
  ForgetSentMessages(stream);
  for (const auto& ids : std::exchange(stream.unsent_messages, {})) {
    for (const std::uint64_t id : ids) {
      const auto found = open_.find(id);
      if (found == open_.end()) continue;
      if (found->second.validation == nullptr) {
        ForgetOverdue(stream, found->second.bytes);
        open_.erase(found);
      } else {
        --stream.awaited;
        found->second.stream = 0;
        unsent_.push_back(id);
      }
    }
  }
}

// Notes the end of a stream that has not brought all verdicts.
void StreamValidator::NoteLoss(const Stream& stream, StatusCode status) {
  const PeerHealth::Loss loss = health_.OnLost({.was_heard = stream.is_heard,
                                                .is_orderly = status == StatusCode::kOk,
                                                .is_connected = channel_->IsConnected()});
  if (loss.is_news) {
    platform::log::Warning("the stream to customers is lost",
                           {{"grpc_status", static_cast<int>(status)}});
  }
  if (loss.pause) BackOff(*loss.pause);
}

void StreamValidator::BackOff(std::chrono::milliseconds pause) {
  backoff_timer_.expires_after(pause);
  backoff_timer_.async_wait(
      Weakly([](StreamValidator& validator, const boost::system::error_code& error) {
        if (error) return;  // Another pause has begun.
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
    auto& [validation, bytes, number] = entry.second;
    if (validation == nullptr) return false;
    if (validation->deadline > now) {
      next = std::min(next, validation->deadline);
      return false;
    }
    Settle(*validation, Unavailable());
    validation = nullptr;
    if (number == 0) return true;
    Stream& stream = streams_.at(number);
    --stream.awaited;
    ++stream.overdue;
    ++overdue_;
    overdue_bytes_ += bytes;
    return false;
  });
  if (next != Clock::time_point::max()) WatchDeadline(next);

  std::vector<StreamNumber> dead;
  for (const auto& [number, stream] : streams_) {
    if (IsDead(stream, now)) dead.push_back(number);
  }
  for (const StreamNumber number : dead) GiveUp(number);
  SendIfAnswered();
  ResumeSettled();
}

bool StreamValidator::IsDead(const Stream& stream, Clock::time_point now) const {
  if (stream.overdue == 0) return false;
  // The maximum duration of a validation, less the time that it may wait for its message.
  const auto max_silence = options_.timeout - options_.unanswered_message_interval;
  const bool is_silent = stream.quiet_since && now - *stream.quiet_since >= max_silence;
  // If overdue validations alone could reach the bound of validations in flight, no new validation
  // would be sent, and a dead stream would never be replaced.
  return is_silent || overdue_ >= options_.max_in_flight / 2 ||
         overdue_bytes_ >= options_.max_in_flight_bytes / 2;
}

void StreamValidator::GiveUp(StreamNumber number) {
  const Stream& stream = streams_.at(number);
  // The connection is replaced too, because on a dead connection the next stream would also be
  // silent until a ping detects that. To a replica that hangs there will be none.
  stream.call->CloseConnection();
  stream.call->Cancel();
  OnStreamEnd(number, StatusCode::kDeadlineExceeded);
}

}  // namespace customers::client
