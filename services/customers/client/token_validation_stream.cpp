#include "services/customers/client/token_validation_stream.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <functional>
#include <future>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "platform/grpc/channel.h"
#include "platform/log/log.h"
#include "services/customers/client/token_validation_call.h"

namespace customers::client {
namespace {

namespace asio = boost::asio;
namespace v1 = customers::v1;
using platform::Error;
using platform::Result;
using Clock = std::chrono::steady_clock;
using Answer = TokenValidationStream::Answer;

// Attempts in a row without a verdict, from which on customers counts as away.
constexpr int kAwayAfter = 2;

// A validation that waits; lives in its caller's coroutine.
struct Query {
  std::string_view authorization;
  Origin origin;
  Clock::time_point deadline;
  bool is_sent = false;      // On the present stream.
  bool is_repeated = false;  // Was sent on an earlier one.
  Answer answer{};
  std::move_only_function<void()> resume{};  // Ends the query: its caller goes on.
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

// Handlers that may run late hold it weakly.
class TokenValidationStream::Impl : public std::enable_shared_from_this<Impl> {
 private:
  // A handler that does nothing once this is gone.
  template <class F>
  auto Weakly(F handler) {
    return [self = weak_from_this(), handler]<class... Args>(Args&&... args) {
      if (const auto impl = self.lock()) std::invoke(handler, *impl, std::forward<Args>(args)...);
    };
  }

 public:
  Impl(asio::any_io_executor executor, TokenValidationStreamOptions options,
       std::size_t max_overdue)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        max_overdue_(max_overdue),
        stub_(Connect()) {}

  bool CanStart() const { return !(is_backing_off_ && IsAway()); }

  std::size_t overdue() const { return overdue_; }

  void Start(Query& query) {
    // Never used twice, on any stream.
    const std::uint64_t id = next_id_++;
    open_.emplace(id, &query);
    unsent_.push_back(id);
    WatchDeadline(query.deadline);
    if (!is_backing_off_) ScheduleFlush();
  }

  void Close() {
    if (call_ != nullptr) std::exchange(call_, nullptr)->Abandon();
    for (const auto& [id, query] : std::exchange(open_, {})) {
      if (query != nullptr) settled_.push_back(query);
    }
    for (Query* query : std::exchange(settled_, {})) {
      query->answer = Unavailable();
      asio::post(executor_, std::move(query->resume));
    }
    // gRPC must be at rest when the process exits.
    for (const std::future<void>& ended : endings_) ended.wait();
  }

 private:
  std::unique_ptr<v1::TokenValidation::Stub> Connect() const {
    return v1::TokenValidation::NewStub(
        platform::grpc::MakeChannel({.host = options_.customers.host,
                                     .port = options_.customers.port,
                                     .tls = options_.customers.tls}));
  }

  bool IsAway() const { return failures_ >= kAwayAfter; }

  // At the end of this turn of the loop, or when the next message may go.
  void ScheduleFlush() {
    const auto due = last_message_ + (awaited_ == 0 ? options_.message_interval
                                                    : options_.unanswered_message_interval);
    if (flush_due_ && *flush_due_ <= due) return;
    flush_due_ = due;
    message_timer_.cancel();
    if (due <= Clock::now()) {
      asio::post(executor_, Weakly(&Impl::Flush));
    } else {
      message_timer_.expires_at(due);
      message_timer_.async_wait(Weakly([](Impl& impl, const boost::system::error_code& error) {
        if (!error) impl.Flush();
      }));
    }
  }

  // Sends what has not been sent, over a new stream if there is none.
  void Flush() {
    flush_due_.reset();
    if (is_backing_off_) return;
    std::vector<TokenValidationCall::Query> batch;
    batch.reserve(unsent_.size());
    for (const std::uint64_t id : std::exchange(unsent_, {})) {
      const auto waiting = open_.find(id);
      if (waiting == open_.end()) continue;  // Its deadline has passed.
      waiting->second->is_sent = true;
      batch.push_back({.id = id,
                       .authorization = waiting->second->authorization,
                       .origin = waiting->second->origin});
    }
    if (batch.empty()) return;
    last_message_ = Clock::now();
    if (!quiet_since_) quiet_since_ = last_message_;
    if (call_ == nullptr) Open();
    awaited_ += batch.size();
    options_.metrics->batch_sizes.Observe(std::uint64_t{batch.size()});
    call_->Send(batch);
  }

  void Open() {
    is_heard_ = false;
    std::erase_if(endings_, [](const std::future<void>& ended) {
      return ended.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
    });
    std::promise<void> ended;
    endings_.push_back(ended.get_future());
    const std::uint64_t number = ++stream_number_;
    auto on_news = Weakly([number](Impl& impl) {
      if (impl.stream_number_ == number) impl.OnNews();
    });
    call_ = TokenValidationCall::Start(*stub_, executor_, std::move(on_news), std::move(ended));
  }

  // The stream has brought something.
  void OnNews() {
    if (call_ == nullptr) return;
    TokenValidationCall::News news = call_->Take();
    const bool has_verdicts = std::ranges::any_of(
        news.verdicts, [](const auto& message) { return message.verdicts_size() > 0; });
    const bool are_known = SettleAll(news.verdicts);
    if (has_verdicts) NoteHeard();
    if (!are_known) {
      platform::log::Warning("customers gave a verdict on an unknown id");
      call_->Abandon();
      OnEnd(::grpc::Status(::grpc::StatusCode::INTERNAL, "unknown id"));
    } else if (news.end) {
      OnEnd(*news.end);
    } else {
      FlushIfAnswered();
    }
    ResumeSettled();
  }

  // False when there is a verdict that nobody asked for; those behind it are dropped.
  bool SettleAll(std::vector<v1::ValidateTokensResponse>& messages) {
    for (v1::ValidateTokensResponse& message : messages) {
      for (v1::Verdict& verdict : *message.mutable_verdicts()) {
        const auto found = open_.find(verdict.id());
        if (found == open_.end()) return false;
        Query* const query = found->second;
        if (query != nullptr && !query->is_sent) return false;
        open_.erase(found);
        if (query == nullptr) {
          --overdue_;
        } else {
          --awaited_;
          Settle(*query, ToResult(std::move(verdict)));
        }
      }
    }
    return true;
  }

  // Its caller goes on with ResumeSettled().
  void Settle(Query& query, Answer answer) {
    query.answer = std::move(answer);
    settled_.push_back(&query);
  }

  // Comes last: callers may do anything, also destroy the stream, which makes the others'
  // validations kUnavailable.
  void ResumeSettled() {
    try {
      while (!settled_.empty()) {
        Query* const query = settled_.front();
        settled_.pop_front();
        std::exchange(query->resume, nullptr)();
      }
    } catch (...) {
      asio::post(executor_, Weakly(&Impl::ResumeSettled));
      throw;
    }
  }

  // What has gathered need not wait any longer when all that was sent is answered.
  void FlushIfAnswered() {
    if (call_ != nullptr && awaited_ == 0 && !unsent_.empty()) ScheduleFlush();
  }

  void NoteHeard() {
    quiet_since_ = awaited_ > 0 ? std::optional(Clock::now()) : std::nullopt;
    is_heard_ = true;
    failures_ = 0;
    if (std::exchange(is_loss_logged_, false)) platform::log::Info("customers answers again");
  }

  // The stream has ended, or was abandoned: decides what becomes of those who wait, and when there
  // is another.
  void OnEnd(const ::grpc::Status& status) {
    for (const std::uint64_t id : std::exchange(call_, nullptr)->TakeUnsent()) {
      const auto waiting = open_.find(id);
      if (waiting != open_.end() && waiting->second != nullptr) waiting->second->is_sent = false;
    }
    awaited_ = 0;
    overdue_ = 0;
    quiet_since_.reset();

    const bool is_unimplemented = status.error_code() == ::grpc::StatusCode::UNIMPLEMENTED;
    if (is_unimplemented) {
      failures_ = 0;
    } else {
      if (!is_heard_) ++failures_;
      LogLoss(status);
      BackOff();
    }

    unsent_.clear();
    boost::unordered::erase_if(open_, [&](const auto& entry) {
      const auto [id, query] = entry;
      if (query == nullptr) return true;
      if (is_unimplemented || IsAway() || (query->is_sent && query->is_repeated)) {
        Settle(*query, is_unimplemented ? Answer() : Unavailable());
        return true;
      }
      if (std::exchange(query->is_sent, false)) {
        query->is_repeated = true;
        options_.metrics->repeated.Add();
      }
      unsent_.push_back(id);
      return false;
    });
  }

  void LogLoss(const ::grpc::Status& status) {
    if (std::exchange(is_loss_logged_, true)) return;
    platform::log::Warning("the stream to customers is lost",
                           {{"grpc_status", static_cast<int>(status.error_code())}});
  }

  void BackOff() {
    is_backing_off_ = true;
    const auto longest = options_.reopen_pause.count();
    std::uniform_int_distribution<std::chrono::milliseconds::rep> jitter(longest / 2, longest);
    backoff_timer_.expires_after(std::chrono::milliseconds{jitter(random_)});
    backoff_timer_.async_wait(Weakly([](Impl& impl, const boost::system::error_code&) {
      impl.is_backing_off_ = false;
      impl.Flush();
    }));
  }

  // One timer for all: set for the earliest deadline of those that waited when it was set.
  void WatchDeadline(Clock::time_point deadline) {
    if (watched_ && *watched_ <= deadline) return;
    watched_ = deadline;
    deadline_timer_.expires_at(deadline);
    deadline_timer_.async_wait(Weakly([](Impl& impl, const boost::system::error_code& error) {
      if (!error) impl.OnDeadline();
    }));
  }

  void OnDeadline() {
    watched_.reset();
    const auto now = Clock::now();
    auto next = Clock::time_point::max();
    boost::unordered::erase_if(open_, [&](auto& entry) {
      Query*& query = entry.second;
      if (query == nullptr) return false;
      if (query->deadline > now) {
        next = std::min(next, query->deadline);
        return false;
      }
      Settle(*query, Unavailable());
      if (!std::exchange(query, nullptr)->is_sent) return true;
      // customers is still to answer it, but nothing waits for that.
      --awaited_;
      ++overdue_;
      return false;
    });
    if (next != Clock::time_point::max()) WatchDeadline(next);

    if (!settled_.empty() && (IsSilent(now) || overdue_ >= max_overdue_)) {
      call_->Abandon();
      // With its connection: a dead one would be silent on the next stream too, until a ping tells.
      stub_ = Connect();
      OnEnd(::grpc::Status(::grpc::StatusCode::DEADLINE_EXCEEDED, "no verdicts"));
    } else {
      FlushIfAnswered();
    }
    ResumeSettled();
  }

  // Nothing has come for as long as a validation may take, the wait for its message included.
  bool IsSilent(Clock::time_point now) const {
    return quiet_since_ &&
           now - *quiet_since_ >= options_.customers.timeout - options_.unanswered_message_interval;
  }

  const asio::any_io_executor executor_;
  const TokenValidationStreamOptions options_;
  const std::size_t max_overdue_;
  std::unique_ptr<v1::TokenValidation::Stub> stub_;

  // By id. Null when nobody waits any more, but customers has yet to answer.
  boost::unordered_flat_map<std::uint64_t, Query*> open_;
  std::vector<std::uint64_t> unsent_;  // Some may not be open any more.
  std::deque<Query*> settled_;         // Not open any more, but their callers have yet to go on.
  std::uint64_t next_id_ = 1;
  std::optional<Clock::time_point> flush_due_;  // Set while one is scheduled.
  Clock::time_point last_message_{};
  asio::steady_timer message_timer_{executor_};

  std::shared_ptr<TokenValidationCall> call_;  // Null when there is no stream.
  std::vector<std::future<void>> endings_;     // Of calls that gRPC may still be busy with.
  std::uint64_t stream_number_ = 0;
  // Sent on this stream and not answered: before their deadline, and after it.
  std::size_t awaited_ = 0;
  std::size_t overdue_ = 0;
  // The latest verdict, or the first message after it, while any are awaited.
  std::optional<Clock::time_point> quiet_since_;
  bool is_heard_ = false;  // This stream has brought a verdict.
  int failures_ = 0;       // Streams in a row that brought none.
  bool is_loss_logged_ = false;
  bool is_backing_off_ = false;
  asio::steady_timer backoff_timer_{executor_};
  std::minstd_rand random_{std::random_device{}()};

  asio::steady_timer deadline_timer_{executor_};
  std::optional<Clock::time_point> watched_;
};

TokenValidationStream::TokenValidationStream(const asio::any_io_executor& executor,
                                             TokenValidationStreamOptions options,
                                             std::size_t max_overdue)
    : impl_(std::make_shared<Impl>(executor, std::move(options), max_overdue)) {}

TokenValidationStream::~TokenValidationStream() { impl_->Close(); }

std::size_t TokenValidationStream::overdue() const { return impl_->overdue(); }

platform::Task<Answer> TokenValidationStream::Validate(std::string_view authorization,
                                                       Origin origin, Clock::time_point deadline) {
  if (!impl_->CanStart()) co_return Unavailable();
  Query query{.authorization = authorization, .origin = origin, .deadline = deadline};
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [&](auto handler) {
        query.resume = [handler = std::move(handler)] mutable { std::move(handler)(); };
        impl_->Start(query);
      },
      asio::use_awaitable);
  co_return std::move(query.answer);
}

}  // namespace customers::client
