#pragma once

#include <nghttp2/nghttp2.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/task.h"
#include "platform/grpc/header_list.h"
#include "platform/grpc/stream.h"

namespace platform::grpc::internal {

using TlsStream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;

// Logs a failure of a coroutine, if there is one.
void LogFailure(const std::exception_ptr& exception);

// The bytes of received messages that wait to be processed, of all connections that share it. Any
// thread.
class ReceiveBudget {
 public:
  explicit ReceiveBudget(std::size_t limit) : limit_(limit) {}

  void Change(std::size_t from, std::size_t to) {
    held_.fetch_add(to - from, std::memory_order_relaxed);
  }
  bool IsExceeded() const { return held_.load(std::memory_order_relaxed) > limit_; }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> held_ = 0;
};

struct ConnectionOptions {
  bool is_server = false;
  std::uint32_t max_concurrent_streams = 0;  // That the peer may open.
  // A connection on which nothing arrives for this time is probed with a ping...
  std::chrono::milliseconds keepalive_time{};
  // ... and closed if nothing arrives for this time after it.
  std::chrono::milliseconds keepalive_timeout{};
  bool pings_without_streams = false;
};

// An HTTP/2 connection over TLS, with nghttp2 as its protocol engine: either end. All that happens
// in one turn of the event loop is sent in one write, at the end of the turn; while a write is
// under way, frames gather for the next one.
//
// Belongs to one event loop. Run() keeps it alive.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Closes the connection unless Handshake() ends within this time.
  void LimitTime(std::chrono::milliseconds timeout);
  // Performs the TLS handshake, and begins HTTP/2.
  Task<boost::system::error_code> Handshake();

  // Serves the connection until its end, after the handshake.
  Task<void> Run();
  // Returns why the connection has ended.
  const boost::system::error_code& error() const { return error_; }

  // Ends the connection at once.
  void Close();

  // The following are for streams.

  void ResumeSending(std::int32_t stream);
  void ResetStream(std::int32_t stream, std::uint32_t error_code);
  void ConsumeStream(std::int32_t stream, std::size_t bytes);
  void CountHeld(std::size_t from, std::size_t to) { budget_->Change(from, to); }
  bool IsOverBudget() const { return budget_->IsExceeded(); }
  // Sends the headers of a response, and its messages, or the end of the stream.
  void SubmitResponse(Stream& stream, const HeaderList& headers, bool has_messages);
  nghttp2_session* session() { return session_; }
  // Sends what is due at the end of this turn of the loop.
  void ScheduleFlush();

 protected:
  Connection(TlsStream stream, const ConnectionOptions& options,
             std::shared_ptr<ReceiveBudget> budget);

  TlsStream& tls() { return tls_; }
  const ConnectionOptions& options() const { return options_; }
  bool is_closed() const { return is_closed_; }

  // Takes part in ownership of a stream until it is closed.
  void AddStream(std::int32_t id, std::shared_ptr<Stream> stream);

  template <class F>
  void ForEachStream(F use) {
    // A copy, because the function may end streams.
    std::vector<std::shared_ptr<Stream>> streams;
    for (const auto& [id, stream] : streams_) streams.push_back(stream);
    for (const auto& stream : streams) use(*stream);
  }

  // Returns a data source that sends a stream's messages.
  static nghttp2_data_provider MessagesOf(Stream& stream);

  // Tells the peer to open no more streams, and ends the connection when none is left. Streams that
  // the peer opens before it learns that are served.
  void GoAway();

 private:
  struct Callbacks;

  // A peer opens a stream. Only a server's peer can.
  virtual void OnNewStream(std::int32_t /*id*/) {}
  // The peer's first settings have arrived.
  virtual void OnSettings() {}
  // The peer will serve no more streams than those that are open.
  virtual void OnGoAway() {}
  // The connection has ended. No stream is left.
  virtual void OnEnd() {}

  void StartSession();
  bool Receive(const std::uint8_t* data, std::size_t size);
  void Flush();
  void OnPingAnswer();
  void OnWritten(const boost::system::error_code& error);
  bool IsDone() const;
  void WatchSilence(Clock::duration pause);
  void OnSilenceCheck();
  void End();

  TlsStream tls_;
  const ConnectionOptions options_;
  const std::shared_ptr<ReceiveBudget> budget_;
  boost::asio::steady_timer timer_;
  nghttp2_session* session_ = nullptr;
  boost::unordered_flat_map<std::int32_t, std::shared_ptr<Stream>> streams_;
  std::string outgoing_;  // What is being written.
  bool is_flush_scheduled_ = false;
  bool is_writing_ = false;
  bool is_going_away_ = false;
  bool is_closed_ = false;
  boost::system::error_code error_;
  Clock::time_point last_received_;
  Clock::time_point probed_{};  // When the latest ping was sent.
};

}  // namespace platform::grpc::internal
