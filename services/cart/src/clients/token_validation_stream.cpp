#include "services/cart/src/clients/token_validation_stream.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <future>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "platform/grpc/channel.h"
#include "platform/log/log.h"
#include "services/cart/src/clients/token_validation_call.h"

namespace cart {
namespace {

namespace asio = boost::asio;
namespace v1 = customers::v1;
using platform::Error;
using platform::ErrorCode;
using platform::Result;
using Clock = std::chrono::steady_clock;

// Attempts in a row without a verdict, from which on customers counts as away.
constexpr int kAwayAfter = 2;

// A validation that waits; lives in its caller's coroutine.
struct Query {
  std::string_view authorization;
  Origin origin;
  Clock::time_point deadline;
  bool is_sent = false;      // On the present stream.
  bool is_repeated = false;  // Was sent on an earlier one.
  Result<Caller> answer = std::unexpected(Error::Unavailable());
  std::move_only_function<void()> resume{};

  void Settle(Result<Caller> result) {
    answer = std::move(result);
    // Last: the caller goes on, and the query with it.
    std::exchange(resume, nullptr)();
  }
};

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
  return std::unexpected(Error::Unavailable());
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
  Impl(asio::any_io_executor executor, TokenValidationStreamOptions options)
      : executor_(std::move(executor)), options_(std::move(options)), stub_(Connect()) {}

  bool CanStart() const {
    return open_.size() < options_.max_in_flight && !(is_backing_off_ && IsAway());
  }

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
    for (const auto& [id, query] : open_) {
      if (query != nullptr) asio::post(executor_, std::move(query->resume));
    }
    open_.clear();
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
    if (call_ == nullptr) Open();
    last_message_ = Clock::now();
    if (awaited_ == 0) quiet_since_ = last_message_;
    awaited_ += batch.size();
    options_.metrics->batch_sizes.Observe(std::uint64_t{batch.size()});
    call_->Send(batch);
  }

  void Open() {
    is_heard_ = false;
    awaited_ = 0;
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
    if (!news.verdicts.empty()) NoteHeard();
    for (v1::ValidateTokensResponse& message : news.verdicts) {
      for (v1::Verdict& verdict : *message.mutable_verdicts()) {
        if (!Settle(std::move(verdict))) {
          platform::log::Warning("customers gave a verdict on an unknown id");
          std::exchange(call_, nullptr)->Abandon();
          OnEnd(::grpc::Status(::grpc::StatusCode::INTERNAL, "unknown id"));
          return;
        }
      }
    }
    if (news.end) {
      call_ = nullptr;
      OnEnd(*news.end);
    } else if (awaited_ == 0 && !unsent_.empty()) {
      ScheduleFlush();
    }
  }

  // False for a verdict that nobody asked for.
  bool Settle(v1::Verdict verdict) {
    const auto found = open_.find(verdict.id());
    if (found == open_.end()) return false;
    Query* const query = found->second;
    if (query != nullptr && !query->is_sent) return false;
    open_.erase(found);
    --awaited_;
    if (query != nullptr) query->Settle(ToResult(std::move(verdict)));
    return true;
  }

  void NoteHeard() {
    quiet_since_ = Clock::now();
    is_heard_ = true;
    failures_ = 0;
    if (std::exchange(is_loss_logged_, false)) platform::log::Info("customers answers again");
  }

  // The stream has ended: decides what becomes of those who wait, and when there is another.
  void OnEnd(const ::grpc::Status& status) {
    const bool is_unimplemented = status.error_code() == ::grpc::StatusCode::UNIMPLEMENTED;
    if (is_unimplemented) {
      failures_ = 0;
    } else {
      if (!is_heard_) ++failures_;
      LogLoss(status);
      BackOff();
    }

    std::vector<Query*> settled;
    unsent_.clear();
    boost::unordered::erase_if(open_, [&](const auto& entry) {
      const auto [id, query] = entry;
      if (query == nullptr) return true;
      if (is_unimplemented || IsAway() || (query->is_sent && query->is_repeated)) {
        settled.push_back(query);
        return true;
      }
      query->is_repeated = query->is_repeated || query->is_sent;
      query->is_sent = false;
      unsent_.push_back(id);
      return false;
    });
    const Error error =
        is_unimplemented ? Error{.code = ErrorCode::kNotImplemented} : Error::Unavailable();
    for (Query* query : settled) query->Settle(std::unexpected(error));
  }

  void LogLoss(const ::grpc::Status& status) {
    if (std::exchange(is_loss_logged_, true)) return;
    platform::log::Warning("the stream to customers is lost",
                           {{"grpc_status", static_cast<int>(status.error_code())}});
  }

  void BackOff() {
    is_backing_off_ = true;
    auto longest = options_.initial_backoff;
    for (int i = 1; i < failures_ && longest < options_.max_backoff; ++i) longest *= 2;
    longest = std::min(longest, options_.max_backoff);
    std::uniform_int_distribution<std::chrono::milliseconds::rep> jitter(longest.count() / 2,
                                                                         longest.count());
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
    std::vector<Query*> overdue;
    auto next = Clock::time_point::max();
    boost::unordered::erase_if(open_, [&](auto& entry) {
      Query*& query = entry.second;
      if (query == nullptr) return false;
      if (query->deadline > now) {
        next = std::min(next, query->deadline);
        return false;
      }
      overdue.push_back(query);
      // What was sent is still to be answered.
      return !std::exchange(query, nullptr)->is_sent;
    });
    if (next != Clock::time_point::max()) WatchDeadline(next);

    const bool is_silent =
        call_ != nullptr && awaited_ > 0 && now - quiet_since_ >= options_.customers.timeout / 2;
    if (!overdue.empty() && is_silent) {
      std::exchange(call_, nullptr)->Abandon();
      // With its connection: a dead one would be silent on the next stream too, until a ping tells.
      stub_ = Connect();
      OnEnd(::grpc::Status(::grpc::StatusCode::DEADLINE_EXCEEDED, "silent"));
    }
    for (Query* query : overdue) query->Settle(std::unexpected(Error::Unavailable()));
  }

  const asio::any_io_executor executor_;
  const TokenValidationStreamOptions options_;
  std::unique_ptr<v1::TokenValidation::Stub> stub_;

  // By id. Null when nobody waits any more, but customers has yet to answer.
  boost::unordered_flat_map<std::uint64_t, Query*> open_;
  std::vector<std::uint64_t> unsent_;  // Some may not be open any more.
  std::uint64_t next_id_ = 1;
  std::optional<Clock::time_point> flush_due_;  // Set while one is scheduled.
  Clock::time_point last_message_{};
  asio::steady_timer message_timer_{executor_};

  std::shared_ptr<TokenValidationCall> call_;  // Null when there is no stream.
  std::vector<std::future<void>> endings_;     // Of calls that gRPC may still be busy with.
  std::uint64_t stream_number_ = 0;
  std::size_t awaited_ = 0;        // Sent on this stream, and not answered.
  Clock::time_point quiet_since_;  // The latest verdict, or the first question after it.
  bool is_heard_ = false;          // This stream has brought a verdict.
  int failures_ = 0;               // Streams in a row that brought none.
  bool is_loss_logged_ = false;
  bool is_backing_off_ = false;
  asio::steady_timer backoff_timer_{executor_};
  std::minstd_rand random_{std::random_device{}()};

  asio::steady_timer deadline_timer_{executor_};
  std::optional<Clock::time_point> watched_;
};

TokenValidationStream::TokenValidationStream(const asio::any_io_executor& executor,
                                             TokenValidationStreamOptions options)
    : impl_(std::make_shared<Impl>(executor, std::move(options))) {}

TokenValidationStream::~TokenValidationStream() { impl_->Close(); }

platform::Task<Result<Caller>> TokenValidationStream::Validate(std::string_view authorization,
                                                               Origin origin,
                                                               std::chrono::milliseconds timeout) {
  if (!impl_->CanStart()) co_return std::unexpected(Error::Unavailable());
  Query query{.authorization = authorization, .origin = origin, .deadline = Clock::now() + timeout};
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [&](auto handler) {
        query.resume = [handler = std::move(handler)]() mutable { std::move(handler)(); };
        impl_->Start(query);
      },
      asio::use_awaitable);
  co_return std::move(query.answer);
}

}  // namespace cart
