#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "platform/postgres/operation.h"
#include "platform/postgres/session.h"

namespace platform::postgres::internal {

// The configuration that all connections of a client share.
struct Configuration {
  Settings settings;
  ClientOptions options;
  std::unique_ptr<ClientMetrics> metrics = std::make_unique<ClientMetrics>();

  const LaneOptions& OptionsOf(Lane lane) const {
    switch (lane) {
      case Lane::kKeyRead:
        return options.key_reads;
      case Lane::kSearch:
        return options.searches;
      case Lane::kWrite:
        break;
    }
    return options.writes;
  }
};

// One connection to the server in pipeline mode, which connects and reconnects by itself until
// Close(). Calls are sent and answered in order. Everything runs on the loop's thread.
//
// Connecting is a coroutine (Maintain). After that, libpq's socket drives callbacks. Each callback
// carries the generation of its session, and does nothing if that session is over.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  enum class State { kConnecting, kUp, kBackingOff, kClosed };

  Connection(boost::asio::any_io_executor executor, std::shared_ptr<const Configuration> shared,
             Lane lane);

  void Open();   // Starts to connect.
  void Close();  // Waiting calls fail. The connection does nothing afterwards.

  // Takes the operation until its `resume` is called, which is never done from this function.
  void Start(Operation& operation);

  State state() const { return state_; }
  // The calls that wait or are sent. One that was overdue counts until the server has answered.
  std::size_t load() const { return pending_.size() + sent_calls_; }

 private:
  using Clock = std::chrono::steady_clock;

  // The state of a named statement on the server. An unknown one is prepared by the next call.
  struct Prepared {
    enum class State { kUnknown, kSent, kConfirmed } state = State::kUnknown;
    std::string server_name;  // Unique for each preparation.
    std::string sql;
    std::vector<unsigned> types;
  };

  // A statement that is sent, in the order of answers. It has a sync of its own, so neither its
  // effect nor its failure affects another statement.
  struct Entry {
    // The calls that it answers, except for those that have failed because they were overdue. Those
    // of a read by key are in the order of their keys.
    std::vector<Operation*> operations;
    std::size_t calls = operations.size();  // Their number when it was sent.
    Prepared* prepared = nullptr;  // The prepared statement; null if it was sent as plain text.
    bool preparing = false;        // The answer to the statement's preparation comes first.
    bool is_stale = false;         // It has had no effect, because its preparation was stale.
    std::expected<Rows, QueryError> result{};
  };

  // Connecting.
  Task<void> Maintain();
  Task<void> BackOff();
  Task<bool> Connect();
  Task<bool> Resolve(const std::string& host, std::vector<std::string>& addresses);
  void OnNotice(const pg_result* notice);
  void GiveUpAttempt();
  bool Watch();  // Sets descriptor_ to libpq's current socket.
  void EnterPipeline();

  // Serving.
  void ScheduleSend();
  void SendPending();
  Entry Gather();
  bool Send(Entry& entry);
  Prepared* Find(const Operation& operation);
  void Flush();
  void AwaitReadable();
  void OnReadable();
  void TakeAnswers();
  bool HasCompletedSearch() const;
  bool Drain();
  bool Take(pg_result* result);
  void TakeError(Entry& entry, QueryError error);
  void Settle(Entry& entry);
  void TakeSync();
  void ResumeCompleted();
  void Break(std::string_view reason = {});  // The default is libpq's last error.

  // Deadlines.
  void WatchDeadlines();
  void OnDeadline();

  void Fail(Operation& operation, QueryError error);
  void FailAll(const std::string& reason);
  void Report(bool up, std::string_view message);
  void CountEnd(const Operation& operation, Clock::time_point now);

  boost::asio::any_io_executor executor_;
  std::shared_ptr<const Configuration> shared_;
  Lane lane_;
  ClientMetrics::LaneMetrics& metrics_;
  bool is_counted_ = false;  // Counted among the lane's connections.
  State state_ = State::kConnecting;
  std::uint64_t generation_ = 0;  // Counts attempts to connect.

  Session session_;
  // A duplicate of libpq's socket, so that either may be closed first.
  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::steady_timer timer_;  // For an attempt to connect, and the pause after it.
  std::size_t server_ = 0;           // In Settings::servers; the one that is or was connected to.
  std::string failure_;              // The reason why the last attempt failed.
  std::chrono::milliseconds backoff_;
  bool answered_ = false;  // The session has answered a statement.

  std::deque<Operation*> pending_;  // Not sent, in the order of their deadlines.
  std::deque<Entry> in_flight_;     // Sent, to be answered in this order.
  std::size_t sent_calls_ = 0;      // Calls that the statements in flight answer.
  std::vector<Operation*> completed_;
  std::unordered_map<std::string_view, Prepared> prepared_;  // By Statement::name.
  std::uint64_t prepare_count_ = 0;
  bool send_scheduled_ = false;
  bool awaiting_writable_ = false;
  bool is_read_only_ = false;    // A write was refused: the session is of no use.
  bool is_unconfirmed_ = false;  // The commit before the next sync's answer is unconfirmed.

  boost::asio::steady_timer deadline_timer_;
  bool watching_deadlines_ = false;
  Clock::time_point last_answer_;  // Or the time of the first statement sent with none in flight.
};

}  // namespace platform::postgres::internal
