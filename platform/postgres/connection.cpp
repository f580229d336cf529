#include "platform/postgres/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "platform/postgres/unconfirmed_commit.h"

namespace platform::postgres::internal {

namespace asio = boost::asio;
using boost::system::error_code;
using WaitType = asio::posix::stream_descriptor::wait_type;

namespace {

constexpr int kBinary = 1;

// Maximum number of reads by key that share a sync.
constexpr std::size_t kMaxBatch = 64;

// Maximum number of searches that are sent and not answered. It is enough to keep the server busy,
// and small because the server runs a search even after the caller has given up.
constexpr std::size_t kMaxSearchesSent = 4;

// SQLSTATE of a write in a session that has become read-only.
constexpr std::string_view kReadOnly = "25006";

// Returns whether the SQLSTATE reports a prepared statement that the server has lost, or whose
// tables have changed.
bool IsStale(std::string_view sqlstate) { return sqlstate == "26000" || sqlstate == "0A000"; }

}  // namespace

Connection::Connection(asio::any_io_executor executor, std::shared_ptr<const Configuration> shared,
                       Lane lane)
    : executor_(std::move(executor)),
      shared_(std::move(shared)),
      lane_(lane),
      metrics_(shared_->metrics->lane(lane)),
      descriptor_(executor_),
      resolver_(executor_),
      timer_(executor_),
      backoff_(shared_->options.initial_backoff),
      deadline_timer_(executor_) {
  metrics_.limit.Add(static_cast<std::int64_t>(shared_->OptionsOf(lane_).max_in_flight));
}

void Connection::Open() {
  asio::co_spawn(
      executor_, [self = shared_from_this()] { return self->Maintain(); },
      [](const std::exception_ptr& broken) {
        if (broken) {
          std::rethrow_exception(broken);
        }
      });
}

void Connection::Close() {
  state_ = State::kClosed;
  ++generation_;
  FailAll("the client was closed");
  resolver_.cancel();
  timer_.cancel();
  deadline_timer_.cancel();
  descriptor_.close();
  session_.reset();
}

void Connection::Start(Operation& operation) {
  const auto now = Clock::now();
  operation.started = now;
  operation.metrics = &shared_->metrics->Find(operation.name);
  metrics_.calls.Add(1);
  if (state_ == State::kBackingOff || state_ == State::kClosed) {
    Fail(operation, {.kind = QueryError::Kind::kUnavailable, .message = failure_});
    return;
  }
  if (load() >= shared_->OptionsOf(lane_).max_in_flight) {
    Fail(operation, {.kind = QueryError::Kind::kOverloaded, .message = "too many calls wait"});
    return;
  }
  pending_.push_back({&operation, now + shared_->options.deadline});
  WatchDeadlines();
  ScheduleSend();
}

// All calls within one turn of the loop are sent together at its end.
void Connection::ScheduleSend() {
  if (state_ == State::kUp && !std::exchange(send_scheduled_, true)) {
    asio::defer(executor_, [self = shared_from_this()] {
      self->send_scheduled_ = false;
      self->SendPending();
    });
  }
}

// A sync ends a transaction of the server, and takes most of a short read's time. Reads by key
// share one. Every other statement has its own, so that neither its effect nor its failure affects
// another.
void Connection::SendPending() {
  if (state_ != State::kUp || pending_.empty()) {
    return;
  }
  if (syncs_due_ == 0) {
    last_answer_ = Clock::now();
  }
  std::size_t batch = 0;
  while (!pending_.empty() && (lane_ != Lane::kSearch || in_flight_.size() < kMaxSearchesSent)) {
    in_flight_.push_back(pending_.front());
    pending_.pop_front();
    Entry& entry = in_flight_.back();
    const bool ends_batch =
        lane_ != Lane::kKeyRead || entry.retried || pending_.empty() || ++batch % kMaxBatch == 0;
    if (!Send(entry) || (ends_batch && PQpipelineSync(session_.get()) != 1)) {
      Break();
      return;
    }
    syncs_due_ += ends_batch ? 1 : 0;
  }
  Flush();
}

// Writes one statement. Its first call prepares it. Until the server has confirmed that, other
// calls send plain text, so that no call depends on another.
bool Connection::Send(Entry& entry) {
  const Operation& operation = *entry.operation;
  const Parameters& parameters = operation.parameters;
  const int count = static_cast<int>(parameters.count);
  std::array<const char*, kMaxParameters> values{};
  std::array<int, kMaxParameters> formats{};
  std::size_t offset = 0;
  for (std::size_t i = 0; i < parameters.count; ++i) {
    formats[i] = kBinary;
    if (parameters.lengths[i] >= 0) {
      values[i] = parameters.bytes.data() + offset;
      offset += static_cast<std::size_t>(parameters.lengths[i]);
    }
  }

  PGconn* session = session_.get();
  entry.prepared = entry.retried ? nullptr : Find(operation);
  if (entry.prepared != nullptr && entry.prepared->state == Prepared::State::kUnknown) {
    entry.preparing = true;
    entry.prepared->state = Prepared::State::kSent;
    entry.prepared->server_name = fmt::format("{}_{}", operation.name, ++prepare_count_);
    if (PQsendPrepare(session, entry.prepared->server_name.c_str(), operation.sql, count,
                      operation.types.data()) != 1) {
      return false;
    }
  }
  const int sent =
      entry.prepared == nullptr
          ? PQsendQueryParams(session, operation.sql, count, operation.types.data(), values.data(),
                              parameters.lengths.data(), formats.data(), kBinary)
          : PQsendQueryPrepared(session, entry.prepared->server_name.c_str(), count, values.data(),
                                parameters.lengths.data(), formats.data(), kBinary);
  return sent == 1;
}

// Returns the statement to be prepared or run, or null if it must be sent as plain text: because it
// is planned at each call, because its preparation is not confirmed, or because its name already
// stands for another statement.
Connection::Prepared* Connection::Find(const Operation& operation) {
  if (operation.planning == Planning::kEachCall) {
    return nullptr;
  }
  const auto [found, is_new] = prepared_.try_emplace(operation.name);
  Prepared& prepared = found->second;
  if (is_new) {
    prepared.sql = operation.sql;
    prepared.types.assign(operation.types.begin(), operation.types.end());
  }
  const bool usable = prepared.state != Prepared::State::kSent && prepared.sql == operation.sql &&
                      std::ranges::equal(prepared.types, operation.types);
  return usable ? &prepared : nullptr;
}

// Writes libpq's buffered data, at once or when the socket becomes writable.
void Connection::Flush() {
  const int rest = PQflush(session_.get());
  if (rest < 0) {
    Break();
  } else if (rest > 0 && !std::exchange(awaiting_writable_, true)) {
    descriptor_.async_wait(WaitType::wait_write,
                           [self = shared_from_this(), generation = generation_](error_code error) {
                             if (error || self->generation_ != generation) {
                               return;
                             }
                             self->awaiting_writable_ = false;
                             self->Flush();
                           });
  }
}

void Connection::AwaitReadable() {
  descriptor_.async_wait(WaitType::wait_read,
                         [self = shared_from_this(), generation = generation_](error_code error) {
                           if (!error && self->generation_ == generation) {
                             self->OnReadable();
                           }
                         });
}

void Connection::OnReadable() {
  if (PQconsumeInput(session_.get()) == 1) {
    TakeAnswers();
  } else {
    Break();
    ResumeCompleted();
  }
}

void Connection::TakeAnswers() {
  if (!Drain()) {
    Break();
  } else if (is_read_only_ && settled_.empty()) {
    Break("the session is read-only");
  } else {
    if (HasCompletedSearch() && syncs_due_ > 0) {
      asio::post(executor_, [self = shared_from_this(), generation = generation_] {
        if (self->generation_ == generation) {
          self->TakeAnswers();
        }
      });
    } else {
      AwaitReadable();
    }
    if (!pending_.empty()) {
      ScheduleSend();
    }
  }
  ResumeCompleted();
}

// A search may have a large answer, so its caller is resumed before the next answer is taken.
bool Connection::HasCompletedSearch() const {
  return lane_ == Lane::kSearch && !completed_.empty();
}

// Takes the answers that have arrived: all, or those up to a completed search. Returns false if the
// connection is dead.
bool Connection::Drain() {
  bool ended = false;
  while (syncs_due_ > 0 && !HasCompletedSearch() && PQisBusy(session_.get()) == 0) {
    PGresult* result = PQgetResult(session_.get());
    if (result != nullptr) {
      ended = false;
      if (!Take(result)) {
        return false;
      }
    } else if (std::exchange(ended, true) || in_flight_.empty()) {
      return false;  // One null ends a statement's results; two mean that no more will follow.
    } else {
      TakeEnd();
    }
  }
  return PQstatus(session_.get()) == CONNECTION_OK;
}

// For each statement, the results are that of its preparation, if any, and its own; after the last
// statement before a sync follows the result of the sync. Returns false if the session has ended
// with this result.
bool Connection::Take(pg_result* result) {
  Rows rows(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_PIPELINE_SYNC) {
    CompleteSettled();
    return true;
  }
  if (in_flight_.empty()) {
    return false;
  }
  Entry& entry = in_flight_.front();
  switch (status) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
      if (entry.preparing) {
        entry.prepared->state = Prepared::State::kConfirmed;
      } else if (entry.operation != nullptr) {
        entry.operation->result = std::move(rows);
      }
      return true;
    case PGRES_PIPELINE_ABORTED:
      if (entry.preparing) {
        entry.prepared->state = Prepared::State::kUnknown;
      }
      entry.skipped = !entry.failed;
      return true;
    case PGRES_FATAL_ERROR: {
      bool fatal = false;
      QueryError error = ErrorOf(result, fatal);
      if (!fatal) {
        TakeError(entry, std::move(error));
      }
      return !fatal;
    }
    default:  // COPY has no place in a pipeline.
      return false;
  }
}

void Connection::TakeError(Entry& entry, QueryError error) {
  entry.failed = true;
  if (lane_ == Lane::kWrite && error.sqlstate == kReadOnly) {
    is_read_only_ = true;
  }
  if (entry.preparing) {
    entry.prepared->state = Prepared::State::kUnknown;
  } else if (entry.prepared != nullptr && IsStale(error.sqlstate)) {
    entry.prepared->state = Prepared::State::kUnknown;
    entry.skipped = true;
  }
  if (entry.operation != nullptr) {
    error.statement = entry.operation->name;
    entry.operation->result = std::unexpected(std::move(error));
  }
}

// Handles the end of the results of a preparation, or of a statement.
void Connection::TakeEnd() {
  if (!std::exchange(in_flight_.front().preparing, false)) {
    settled_.push_back(in_flight_.front());
    in_flight_.pop_front();
  }
}

// Statements are complete with their sync and not earlier, because only then is a write committed.
void Connection::CompleteSettled() {
  --syncs_due_;
  answered_ = true;
  last_answer_ = Clock::now();
  const bool is_unconfirmed = std::exchange(is_unconfirmed_, false);
  for (const Entry& entry : settled_) {
    if (entry.operation == nullptr) {
      continue;
    }
    if (is_unconfirmed && entry.operation->result) {
      entry.operation->result = std::unexpected(QueryError{
          .kind = QueryError::Kind::kUnavailable, .message = std::string(kUnconfirmedCommit)});
    }
    if (entry.skipped && !entry.retried) {
      pending_.push_front(
          {.operation = entry.operation, .deadline = entry.deadline, .retried = true});
    } else {
      CountEnd(*entry.operation, last_answer_);
      completed_.push_back(entry.operation);
    }
  }
  settled_.clear();
}

// Resumes the callers of complete statements within this turn of the loop. They may make new calls
// and destroy the client.
void Connection::ResumeCompleted() {
  std::vector<Operation*> completed;
  completed.swap(completed_);
  std::size_t next = 0;
  try {
    while (next < completed.size()) {
      std::exchange(completed[next++]->resume, nullptr)();
    }
  } catch (...) {
    while (next < completed.size()) {
      asio::post(executor_, std::exchange(completed[next++]->resume, nullptr));
    }
    throw;
  }
}

// Gives up the session and starts to open the next one.
void Connection::Break(std::string_view reason) {
  failure_ = reason.empty() ? LastError(session_.get()) : reason;
  state_ = State::kConnecting;
  ++generation_;
  descriptor_.close();
  session_.reset();
  prepared_.clear();
  awaiting_writable_ = false;
  is_read_only_ = false;
  is_unconfirmed_ = false;
  Report(false, failure_);
  FailAll(failure_);
  Open();
}

// --- Deadlines ---

// All calls of a connection have the same time limit, so one timer for the oldest call is enough.
void Connection::WatchDeadlines() {
  if (watching_deadlines_ || load() == 0 || state_ == State::kClosed) {
    return;
  }
  auto next = Clock::time_point::max();
  if (syncs_due_ > 0) {
    next = last_answer_ + shared_->options.deadline;
  }
  const auto is_live = [](const Entry& entry) { return entry.operation != nullptr; };
  if (const auto live = std::ranges::find_if(settled_, is_live); live != settled_.end()) {
    next = std::min(next, live->deadline);
  }
  if (const auto live = std::ranges::find_if(in_flight_, is_live); live != in_flight_.end()) {
    next = std::min(next, live->deadline);
  }
  if (!pending_.empty()) {
    next = std::min(next, pending_.front().deadline);
  }
  watching_deadlines_ = true;
  deadline_timer_.expires_at(next);
  deadline_timer_.async_wait([self = weak_from_this()](error_code error) {
    if (const auto connection = self.lock(); connection && !error) {
      connection->watching_deadlines_ = false;
      connection->OnDeadline();
    }
  });
}

// Fails overdue calls. A slow answer affects only its own caller, which has returned when the
// answer arrives. A connection that brings no answer for a whole deadline is given up.
void Connection::OnDeadline() {
  const auto now = Clock::now();
  const QueryError overdue{.kind = QueryError::Kind::kTimeout,
                           .message = "no answer within the deadline"};
  while (!pending_.empty() && pending_.front().deadline <= now) {
    Fail(*pending_.front().operation, overdue);
    pending_.pop_front();
  }
  const auto fail_overdue = [&](Entry& entry) {
    if (entry.operation != nullptr && entry.deadline <= now) {
      Fail(*std::exchange(entry.operation, nullptr), overdue);
    }
  };
  std::ranges::for_each(settled_, fail_overdue);
  std::ranges::for_each(in_flight_, fail_overdue);
  if (syncs_due_ > 0 && now - last_answer_ >= shared_->options.deadline) {
    Break("the server does not answer");
  }
  WatchDeadlines();
}

void Connection::Fail(Operation& operation, QueryError error) {
  operation.result = std::unexpected(std::move(error));
  CountEnd(operation, Clock::now());
  asio::post(executor_, std::exchange(operation.resume, nullptr));
}

void Connection::FailAll(const std::string& reason) {
  const auto fail_each = [&](auto& entries) {
    for (const Entry& entry : entries) {
      if (entry.operation != nullptr) {
        Fail(*entry.operation, {.kind = QueryError::Kind::kUnavailable, .message = reason});
      }
    }
    entries.clear();
  };
  fail_each(settled_);
  fail_each(in_flight_);
  fail_each(pending_);
  syncs_due_ = 0;
}

void Connection::CountEnd(const Operation& operation, Clock::time_point now) {
  metrics_.calls.Add(-1);
  const auto duration = now - operation.started;
  if (operation.result) {
    shared_->metrics->CountAnswer(*operation.metrics, duration);
  } else {
    shared_->metrics->CountError(*operation.metrics, duration, operation.result.error());
  }
}

void Connection::Report(bool up, std::string_view message) {
  if (std::exchange(is_counted_, up) != up) metrics_.connections.Add(up ? 1 : -1);
  if (!up) metrics_.failures.Add();
  if (shared_->options.on_connection) {
    shared_->options.on_connection(up, message);
  }
}

}  // namespace platform::postgres::internal
