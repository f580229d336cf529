#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <list>
#include <optional>
#include <string>

#include "platform/http/request_head.h"
#include "platform/http/server.h"
#include "platform/http/server_metrics.h"

namespace platform::http {

class Connection;

// What the connections of one server share.
struct ServerState {
  std::size_t in_progress = 0;  // Requests whose handlers run.
  // The connections that wait for a request, except those of trusted proxies. First the one that
  // has waited longest since it was accepted or last answered.
  std::list<Connection*> waiting;
  // The connections that use the memory budget while they wait for their clients. First the one
  // that has done so for longest.
  std::list<Connection*> holding;
  // Bytes on their way from a socket to its connection. So a connection needs memory for what it
  // has received, and none while it waits.
  std::array<char, std::size_t{4} * 1024> received;
};

// The connection's place among those of its server.
enum class Admission {
  kOrdinary,
  kReserve,  // Beyond the limit: answers one health check, within a second.
};

// One client's connection. Lives on its server's event loop until `Serve` returns.
class Connection {
 public:
  using Clock = std::chrono::steady_clock;
  using Socket = boost::asio::ip::tcp::socket;

  // All arguments must outlive the connection. `peer` is the socket's remote address; `metrics` may
  // be null.
  Connection(Socket socket, std::string peer, Admission admission, const Handler& handler,
             const ServerOptions& options, ServerState& state, ServerMetrics* metrics);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Answers requests until the client closes the connection or a limit does.
  Task<void> Serve();

  // Cancels the current wait if its deadline has passed. The server calls this a few times a
  // second, which is cheaper than a timer for each step of each request.
  void CheckDeadline(Clock::time_point now);

  // Closes the connection after its next answer, or after a moment if no request arrives, because
  // a request may be on its way.
  void Drain();

  // Cuts the connection immediately; `Serve` returns as soon as its handler does. Gives its share
  // of the memory budget back.
  void Abort();

  // Returns whether it has used the memory budget for so long that others may need it more.
  bool IsSlow(Clock::time_point now) const;

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  enum class Phase { kIdle, kHead, kBody, kHandling, kWriting, kResting, kLingering };

  // The request in progress, from its complete head until its answer is sent. A connection that
  // waits for a request has none, and little memory.
  struct Exchange;

  // Waits for a complete head in `buffer_`. Returns the status to send before closing if the head
  // is bad. If `closed_` is set, the client has gone.
  Task<OrStatus<void>> ReadHead();
  // Answers the request whose head was read, or refuses it if `head` is a status. Returns whether
  // the connection stays open.
  Task<bool> Answer(OrStatus<void> head, bool is_last);
  // Reads the rest of the request. Returns the status to send before closing if the request is bad.
  // If `closed_` is set, the client has gone and gets no answer.
  Task<OrStatus<Framing>> Receive(Exchange& exchange);
  Task<OrStatus<void>> ReadBody(Exchange& exchange, bool expects_continue);
  // Passes up to `size` of the received bytes to the parser.
  OrStatus<void> Feed(Parser& parser, std::size_t size);

  Task<Response> Handle(Exchange& exchange);
  // Calls the handler with the request's span as the parent of its operations' spans, and records
  // the span. `parent` is the span that the request names.
  Task<Response> HandleTraced(const Request& request,
                              const std::optional<trace::TraceContext>& parent);
  Response Refuse(Exchange& exchange, ErrorStatus status);
  // Sets the client's address, the request id and the trace from the header fields.
  void Identify(Exchange& exchange);
  Task<void> Send(const Response& response, std::string_view request_id, bool is_head,
                  bool keep_alive);
  // Waits before the connection is read again.
  Task<void> Rest();
  // Reads on for a moment after a last answer, because closing with unread data would reset the
  // connection and could destroy the answer (RFC 9112 section 9.6).
  Task<void> Linger();

  // Waits for data and moves it to state_.received, where it stays until the coroutine suspends
  // again. Returns its size; 0 at the end of the stream, on an error or a deadline.
  Task<std::size_t> ReadSome();
  // Appends what ReadSome() has returned to `buffer_`.
  void Keep(std::size_t size);
  void Enter(Phase phase);
  // Joins the server's list that fits the phase and the share of the memory budget.
  void Enlist();
  void MoveTo(std::list<Connection*>& list);
  // Uses this much of the memory budget. Returns false if it does not suffice.
  bool Hold(std::size_t bytes);
  std::size_t RequestBytes(const Exchange& exchange) const;
  bool IsHealthCheck(const Parser& parser) const;
  std::string_view Received() const;

  Socket socket_;
  const Handler& handler_;
  const ServerOptions& options_;
  const Limits& limits_ = options_.limits;
  const Admission admission_;
  ServerState& state_;
  // The connection is in one of unlisted_, state_.waiting and state_.holding.
  std::list<Connection*> unlisted_{this};
  const std::list<Connection*>::iterator place_ = unlisted_.begin();
  std::list<Connection*>* list_ = &unlisted_;
  MemoryBudget::Share share_{options_.memory.get()};
  Clock::time_point holding_since_;
  ServerMetrics* const metrics_;
  const std::string peer_;
  const bool is_peer_proxy_;
  boost::beast::flat_buffer buffer_;
  HeadScanner scanner_;
  Phase phase_ = Phase::kIdle;
  std::chrono::seconds rest_{};  // The rest after the latest answer; 0 if there was none.
  Clock::time_point deadline_ = Clock::time_point::max();
  bool timed_out_ = false;
  bool closed_ = false;
  bool draining_ = false;
};

}  // namespace platform::http
