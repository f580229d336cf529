#include "platform/postgres/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <utility>

#include "platform/postgres/unconfirmed_commit.h"

namespace platform::postgres::internal {

namespace asio = boost::asio;
using boost::system::error_code;
using WaitType = asio::posix::stream_descriptor::wait_type;

namespace {

constexpr int kBinary = 1;

// Maximum number of reads by key that share a statement. The gain beyond is small, and those who
// asked first wait longer.
constexpr std::size_t kMaxGathered = 64;

// Maximum number of statements of a connection that are sent and not answered. The others wait.
std::size_t MaxSent(Lane lane) {
  switch (lane) {
    case Lane::kKeyRead:
      return 2;  // One on which the server works, and the next one. Further calls gather.
    case Lane::kSearch:
      return 4;  // Few, because the server runs a search even after the caller has given up.
    case Lane::kWrite:
      break;
  }
  return std::numeric_limits<std::size_t>::max();
}

// SQLSTATE of a write in a session that has become read-only.
constexpr std::string_view kReadOnly = "25006";

// SQLSTATE of an answer that is not what the statement's declaration says.
constexpr std::string_view kDatatypeMismatch = "42804";

// Returns whether the SQLSTATE reports a prepared statement that the server has lost, or whose
// tables have changed.
bool IsStale(std::string_view sqlstate) { return sqlstate == "26000" || sqlstate == "0A000"; }

// Returns the parameters of a read by key: an array for each of the keys, with their different
// values. The operations must be in the order of their keys.
Parameters KeysOf(const std::vector<Operation*>& operations) {
  Parameters parameters;
  for (std::size_t key = 0; key < operations.front()->key_count; ++key) {
    std::vector<std::int32_t> values;
    values.reserve(operations.size());
    const Operation* last = nullptr;
    for (const Operation* operation : operations) {
      if (last == nullptr || last->keys != operation->keys) {
        values.push_back(operation->keys.at(key));
      }
      last = operation;
    }
    parameters.Add<std::vector<std::int32_t>>(values);
  }
  return parameters;
}

// Returns the keys with which a row begins, or nothing if one is NULL.
std::optional<Keys> KeysOf(const Rows& rows, std::size_t row, std::size_t key_count) {
  Keys keys{};
  for (std::size_t key = 0; key < key_count; ++key) {
    const auto bytes = rows.value(row, key);
    if (!bytes) return std::nullopt;
    keys.at(key) = Codec<std::int32_t>::Decode(*bytes);
  }
  return keys;
}

// Sets the result of each operation of a read by key to the rows that have its keys. Returns false
// if the statement is not what KeyedStatement demands.
bool Distribute(const Rows& rows, const std::vector<Operation*>& operations) {
  const std::size_t key_count = operations.front()->key_count;
  if (rows.columns() < key_count) return false;
  for (std::size_t key = 0; key < key_count; ++key) {
    if (!Accepts<std::int32_t>(rows.type(key))) return false;
  }
  for (Operation* operation : operations) operation->result = rows.Part(0, 0, key_count);
  for (std::size_t first = 0, end = 0; first < rows.size(); first = end) {
    const auto keys = KeysOf(rows, first, key_count);
    if (!keys) return false;
    do {
      ++end;
    } while (end < rows.size() && KeysOf(rows, end, key_count) == keys);
    for (Operation* operation : std::ranges::equal_range(operations, *keys, {}, &Operation::keys)) {
      if (operation->result->size() > 0) return false;  // They do not stand together.
      operation->result = rows.Part(first, end - first, key_count);
    }
  }
  return true;
}

// Counts the end of an operation. Returns the function that resumes its caller, or null if the
// caller waits for more operations.
std::move_only_function<void()> End(Operation& operation) {
  if (--operation.caller->waiting > 0) return nullptr;
  return std::move(operation.caller->resume);
}

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
  operation.started = Clock::now();
  operation.deadline = operation.started + shared_->options.deadline;
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
  pending_.push_back(&operation);
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

void Connection::SendPending() {
  if (state_ != State::kUp || pending_.empty()) {
    return;
  }
  if (in_flight_.empty()) {
    last_answer_ = Clock::now();
  }
  while (!pending_.empty() && in_flight_.size() < MaxSent(lane_)) {
    in_flight_.push_back(Gather());
    sent_calls_ += in_flight_.back().calls;
    if (!Send(in_flight_.back()) || PQpipelineSync(session_.get()) != 1) {
      Break();
      return;
    }
  }
  Flush();
}

// Removes the first waiting call, and those that can share its statement. There must be one.
Connection::Entry Connection::Gather() {
  std::vector<Operation*> operations{pending_.front()};
  pending_.pop_front();
  const Operation& first = *operations.front();
  if (first.key_count > 0 && !first.is_alone) {
    std::erase_if(pending_, [&](Operation* operation) {
      const bool shares = operations.size() < kMaxGathered && operation->sql == first.sql &&
                          operation->name == first.name && !operation->is_alone;
      if (shares) operations.push_back(operation);
      return shares;
    });
    std::ranges::sort(operations, {}, &Operation::keys);
  }
  return {.operations = std::move(operations)};
}

// Writes one statement. Its first call prepares it. Until the server has confirmed that, other
// calls send plain text, so that no call depends on another.
bool Connection::Send(Entry& entry) {
  const Operation& operation = *entry.operations.front();
  const Parameters keys = operation.key_count > 0 ? KeysOf(entry.operations) : Parameters{};
  const Parameters& parameters = operation.key_count > 0 ? keys : operation.parameters;
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
  entry.prepared = operation.is_alone ? nullptr : Find(operation);
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
  } else if (is_read_only_) {
    Break("the session is read-only");
  } else {
    if (HasCompletedSearch() && !in_flight_.empty()) {
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
  while (!in_flight_.empty() && !HasCompletedSearch() && PQisBusy(session_.get()) == 0) {
    PGresult* result = PQgetResult(session_.get());
    if (result != nullptr) {
      ended = false;
      if (!Take(result)) {
        return false;
      }
    } else if (std::exchange(ended, true)) {
      return false;  // One null ends a statement's results; two mean that no more will follow.
    } else {
      in_flight_.front().preparing = false;
    }
  }
  return PQstatus(session_.get()) == CONNECTION_OK;
}

// The results of each statement are that of its preparation, if any, its own, and that of its sync.
// Returns false if the session has ended with this result.
bool Connection::Take(pg_result* result) {
  Rows rows(result);
  Entry& entry = in_flight_.front();
  switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
      TakeSync();
      return true;
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
      if (entry.preparing) {
        entry.prepared->state = Prepared::State::kConfirmed;
      } else {
        entry.result = std::move(rows);
      }
      return true;
    case PGRES_PIPELINE_ABORTED:  // The statement's preparation has failed.
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
  if (entry.prepared != nullptr && (entry.preparing || IsStale(error.sqlstate))) {
    entry.prepared->state = Prepared::State::kUnknown;
    entry.is_stale = !entry.preparing;
  }
  entry.result = std::unexpected(std::move(error));
}

// Sets the results of the calls that the statement answers.
void Connection::Settle(Entry& entry) {
  if (entry.operations.empty()) {
    return;
  }
  if (entry.result && entry.operations.front()->key_count == 0) {
    entry.operations.front()->result = *std::move(entry.result);
    return;
  }
  if (entry.result && !Distribute(*entry.result, entry.operations)) {
    entry.result = std::unexpected(QueryError{
        .kind = QueryError::Kind::kRejected,
        .sqlstate = std::string(kDatatypeMismatch),
        .message = "the rows of a read by key do not begin with the keys, or not in order"});
  }
  if (!entry.result) {
    entry.result.error().statement = entry.operations.front()->name;
    for (Operation* operation : entry.operations) {
      operation->result = std::unexpected(entry.result.error());
    }
  }
}

// A statement is complete with its sync and not earlier, because only then is a write committed.
void Connection::TakeSync() {
  Entry entry = std::move(in_flight_.front());
  in_flight_.pop_front();
  sent_calls_ -= entry.calls;
  answered_ = true;
  last_answer_ = Clock::now();
  if (std::exchange(is_unconfirmed_, false) && entry.result) {
    entry.result = std::unexpected(QueryError{.kind = QueryError::Kind::kUnavailable,
                                              .message = std::string(kUnconfirmedCommit)});
  }
  is_read_only_ |=
      lane_ == Lane::kWrite && !entry.result && entry.result.error().sqlstate == kReadOnly;
  Settle(entry);
  // One call may be to blame for the failure of all.
  const bool is_repeated = !entry.result && (entry.is_stale || entry.calls > 1);
  for (Operation* operation : entry.operations) {
    if (is_repeated && !std::exchange(operation->is_alone, true)) {
      pending_.push_front(operation);
    } else {
      CountEnd(*operation, last_answer_);
      completed_.push_back(operation);
    }
  }
}

// Resumes the callers of complete statements within this turn of the loop. They may make new calls
// and destroy the client.
void Connection::ResumeCompleted() {
  std::vector<Operation*> completed;
  completed.swap(completed_);
  std::size_t next = 0;
  try {
    while (next < completed.size()) {
      if (auto resume = End(*completed[next++])) resume();
    }
  } catch (...) {
    while (next < completed.size()) {
      if (auto resume = End(*completed[next++])) asio::post(executor_, std::move(resume));
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
  if (!in_flight_.empty()) {
    next = last_answer_ + shared_->options.deadline;
  }
  const auto is_live = [](const Entry& entry) { return !entry.operations.empty(); };
  if (const auto live = std::ranges::find_if(in_flight_, is_live); live != in_flight_.end()) {
    for (const Operation* operation : live->operations) next = std::min(next, operation->deadline);
  }
  if (!pending_.empty()) {
    next = std::min(next, pending_.front()->deadline);
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
  const auto fail_overdue = [&](Operation* operation) {
    const bool is_overdue = operation->deadline <= now;
    if (is_overdue) Fail(*operation, overdue);
    return is_overdue;
  };
  while (!pending_.empty() && fail_overdue(pending_.front())) pending_.pop_front();
  for (Entry& entry : in_flight_) std::erase_if(entry.operations, fail_overdue);
  if (!in_flight_.empty() && now - last_answer_ >= shared_->options.deadline) {
    Break("the server does not answer");
  }
  WatchDeadlines();
}

void Connection::Fail(Operation& operation, QueryError error) {
  operation.result = std::unexpected(std::move(error));
  CountEnd(operation, Clock::now());
  if (auto resume = End(operation)) asio::post(executor_, std::move(resume));
}

void Connection::FailAll(const std::string& reason) {
  const auto fail = [&](Operation* operation) {
    Fail(*operation, {.kind = QueryError::Kind::kUnavailable, .message = reason});
  };
  for (const Entry& entry : in_flight_) std::ranges::for_each(entry.operations, fail);
  std::ranges::for_each(pending_, fail);
  in_flight_.clear();
  pending_.clear();
  sent_calls_ = 0;
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
