#include "platform/http/connection.h"

#include <fmt/compile.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "platform/http/date.h"
#include "platform/log/log.h"
#include "platform/trace/request_id.h"
#include "platform/trace/traced_executor.h"
#include "platform/trace/tracer.h"

namespace platform::http {
namespace {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
// A connection with less memory for its request or answer uses none of the memory budget. So
// ordinary requests are served even if the budget is used up.
constexpr std::size_t kFreeBytes = 2048;
// Memory of a header field besides its text: its entry in `headers`, and the parser's node.
constexpr std::size_t kFieldBytes = 128;
// Unused capacity of an answer that is worth a copy.
constexpr std::size_t kSpareBytes = std::size_t{64} * 1024;
// Time for which a connection may use the memory budget when others need it.
constexpr std::chrono::seconds kPatience{1};
constexpr std::chrono::seconds kLingerTime{1};
// Size of most heads of answers.
constexpr std::size_t kAnswerHeadBytes = 512;
// For each step of a connection of the reserve.
constexpr std::chrono::seconds kReserveTime{1};
constexpr std::size_t kLingerBytes = 256UZ * 1024;
// With this many requests in progress the server is busy. A connection that it answers with 503 is
// then not read for a while, because clients that repeat their request at once would leave no time
// for the others. The rest doubles each time, up to the maximum. Trusted proxies are exempt,
// because their connections carry the requests of many clients.
constexpr std::size_t kBusy = 256;
constexpr std::chrono::seconds kMinRest{1};
constexpr std::chrono::seconds kMaxRest{4};

// The least status that is the service's fault.
constexpr unsigned kFirstServerError = 500;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// Headers of every answer. The API serves private data and no markup. A page that needs its own
// policy sets it in its response.
constexpr std::string_view kCommonHeaders =
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n";

Method ToMethod(beast_http::verb verb) {
  switch (verb) {
    case beast_http::verb::get:
      return Method::kGet;
    case beast_http::verb::head:
      return Method::kHead;
    case beast_http::verb::post:
      return Method::kPost;
    case beast_http::verb::put:
      return Method::kPut;
    case beast_http::verb::patch:
      return Method::kPatch;
    case beast_http::verb::delete_:
      return Method::kDelete;
    case beast_http::verb::options:
      return Method::kOptions;
    default:
      return Method::kOther;
  }
}

// Counts a request in progress for as long as it lives; `metrics` may be null.
class InProgress {
 public:
  InProgress(std::size_t& count, ServerMetrics* metrics) : count_(count), metrics_(metrics) {
    Add(1);
  }
  ~InProgress() { Add(-1); }
  InProgress(const InProgress&) = delete;
  InProgress& operator=(const InProgress&) = delete;

 private:
  void Add(int change) {
    count_ += static_cast<std::size_t>(change);
    if (metrics_ != nullptr) metrics_->requests_in_flight.Add(change);
  }

  std::size_t& count_;
  ServerMetrics* metrics_;
};

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

void LogRequest(const Request& request, const Response& response,
                Connection::Clock::duration duration) {
  if (!log::Enabled(log::Level::kInfo)) return;
  const std::chrono::duration<double, std::milli> milliseconds = duration;
  log::Info("request", {{"request_id", request.id},
                        {"method", Name(request.method)},
                        {"route", response.route},
                        {"status", response.status},
                        {"duration_ms", milliseconds.count()},
                        {"client", request.client},
                        {"user_id", request.notes->user_id},
                        {"trace_id", request.trace.trace_id()},
                        {"span_id", request.trace.span_id()}});
}

// The path is not an attribute, because that of an unknown route may hold anything, nor is the
// query.
void RecordRequest(trace::Tracer& tracer, const std::optional<trace::TraceContext>& parent,
                   trace::SpanClock::time_point start, const Request& request,
                   const Response& response) {
  const std::string_view method = Name(request.method);
  std::string name(method.empty() ? "HTTP" : method);
  if (!response.route.empty()) name.append(" ").append(response.route);
  const bool is_failed = response.status >= kFirstServerError;
  std::optional<std::string> error;
  if (is_failed) error = std::to_string(response.status);
  std::optional<std::string_view> route;
  if (!response.route.empty()) route = response.route;
  tracer.Record({.context = request.trace,
                 .parent_id = parent ? parent->span_id() : std::string_view(),
                 .kind = trace::SpanKind::kServer,
                 .name = name,
                 .start = start,
                 .end = trace::SpanClock::now(),
                 .is_failed = is_failed},
                {{"http.request.method", method.empty() ? "_OTHER" : method},
                 {"url.scheme", "http"},
                 {"http.route", route},
                 {"http.response.status_code", response.status},
                 {"client.address", request.client},
                 {"error.type", error}});
}

}  // namespace

struct Connection::Exchange {
  explicit Exchange(std::string_view peer) : client(peer) {}

  // On the heap, because the frame of a coroutine lives until the answer is sent.
  std::unique_ptr<Parser> parser = std::make_unique<Parser>();
  std::size_t head_bytes = 0;        // Size of the head.
  std::vector<HeaderField> headers;  // Their texts belong to the parser.
  std::string client;
  std::string request_id;
  trace::TraceContext trace;
  std::optional<trace::TraceContext> parent;  // The span that the request names.
  AccessNotes notes;
};

Connection::Connection(Socket socket, std::string peer, Admission admission, const Handler& handler,
                       const ServerOptions& options, ServerState& state, ServerMetrics* metrics)
    : socket_(std::move(socket)),
      handler_(handler),
      options_(options),
      admission_(admission),
      state_(state),
      metrics_(metrics),
      peer_(std::move(peer)),
      is_peer_proxy_(options_.trusted_proxies.Trusts(peer_)) {
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
}

Connection::~Connection() { MoveTo(unlisted_); }

Task<void> Connection::Serve() {
  for (std::size_t served = 1;; ++served) {
    if (Received().empty()) buffer_ = {};
    Hold(buffer_.capacity());  // Less than before, so it suffices.
    const OrStatus<void> head = co_await ReadHead();
    if (closed_) co_return;
    const bool stays_open = co_await Answer(head, served >= limits_.requests_per_connection);
    if (closed_) co_return;
    if (!stays_open) {
      co_await Linger();
      co_return;
    }
    if (rest_ > std::chrono::seconds{0}) co_await Rest();
  }
}

Task<OrStatus<void>> Connection::ReadHead() {
  Enter(Received().empty() ? Phase::kIdle : Phase::kHead);
  for (;;) {
    const HeadScanner::State state = scanner_.Scan(Received());
    if (state == HeadScanner::State::kMalformed) {
      co_return std::unexpected(ErrorStatus::kBadRequest);
    }
    const bool is_complete = state == HeadScanner::State::kComplete;
    if ((is_complete ? scanner_.size() : Received().size()) > limits_.head_bytes) {
      co_return std::unexpected(ErrorStatus::kHeaderFieldsTooLarge);
    }
    if (is_complete) co_return OrStatus<void>();
    if (const std::size_t size = co_await ReadSome(); size > 0) {
      Keep(size);
      if (phase_ == Phase::kIdle) Enter(Phase::kHead);
      if (!Hold(buffer_.capacity())) co_return std::unexpected(ErrorStatus::kServiceUnavailable);
    } else if (timed_out_ && phase_ == Phase::kHead) {
      co_return std::unexpected(ErrorStatus::kRequestTimeout);
    } else if (boost::system::error_code error; !timed_out_ || socket_.available(error) == 0) {
      closed_ = true;  // Otherwise a request arrived at the last moment.
      co_return OrStatus<void>();
    }
  }
}

Task<bool> Connection::Answer(OrStatus<void> head, bool is_last) {
  Exchange exchange(peer_);
  OrStatus<Framing> received =
      head ? co_await Receive(exchange) : OrStatus<Framing>(std::unexpected(head.error()));
  if (closed_) co_return false;
  const bool is_reserved = admission_ == Admission::kReserve;
  Response response = !received ? Refuse(exchange, received.error())
                      : is_reserved && !IsHealthCheck(*exchange.parser)
                          ? Refuse(exchange, ErrorStatus::kServiceUnavailable)
                          : co_await Handle(exchange);
  if (response.body.capacity() - response.body.size() > kSpareBytes) {
    response.body.shrink_to_fit();
  }
  if (received && !Hold(response.body.capacity() + buffer_.capacity())) {
    received = std::unexpected(ErrorStatus::kServiceUnavailable);
    response = Refuse(exchange, received.error());
  }
  const Method method = ToMethod(exchange.parser->get().method());
  options_.cors.AddHeaders(method, exchange.headers, response);
  const bool stays_open =
      received && received->keep_alive && !draining_ && !is_reserved && !is_last;
  // The request's memory is not needed while the answer is sent, which may take long.
  exchange.parser.reset();
  exchange.headers = std::vector<HeaderField>();  // = {} would keep its memory.
  if (!received) {
    buffer_ = {};
    Hold(0);
  }
  co_await Send(response, exchange.request_id, method == Method::kHead, stays_open);
  const bool must_rest = response.status == std::to_underlying(ErrorStatus::kServiceUnavailable) &&
                         state_.in_progress >= kBusy && !is_peer_proxy_;
  rest_ = must_rest ? std::clamp(2 * rest_, kMinRest, kMaxRest) : std::chrono::seconds{0};
  co_return stays_open;
}

Task<OrStatus<Framing>> Connection::Receive(Exchange& exchange) {
  Parser& parser = *exchange.parser;
  parser.header_limit(static_cast<std::uint32_t>(limits_.head_bytes + state_.received.size()));
  parser.body_limit(limits_.body_bytes);
  parser.eager(true);
  // Chunk extensions are rejected, because nobody needs them and Beast accepts bytes in them that
  // other parsers treat as the end of a line. The parser may keep a reference to this local
  // function, because it is fed only while this coroutine runs.
  auto refuse_extensions = [](std::uint64_t, boost::beast::string_view extensions,
                              boost::system::error_code& error) {
    if (!extensions.empty()) error = beast_http::error::bad_chunk_extension;
  };
  parser.on_chunk_header(refuse_extensions);
  const OrStatus<void> fed = Feed(parser, scanner_.size());
  exchange.head_bytes = scanner_.size();
  scanner_.Reset();
  const auto& fields = parser.get();
  exchange.headers.reserve(static_cast<std::size_t>(std::distance(fields.begin(), fields.end())));
  for (const auto& field : fields) {
    exchange.headers.emplace_back(View(field.name_string()), View(field.value()));
  }
  Identify(exchange);
  CO_RETURN_IF_ERROR(fed);
  if (!Hold(RequestBytes(exchange))) co_return std::unexpected(ErrorStatus::kServiceUnavailable);
  if (!parser.is_header_done() || !IsOriginForm(View(parser.get().target()))) {
    co_return std::unexpected(ErrorStatus::kBadRequest);
  }
  ASSIGN_OR_CO_RETURN(const Framing framing,
                      CheckFraming(parser.get().version(), exchange.headers));
  CO_RETURN_IF_ERROR(co_await ReadBody(exchange, framing.expects_continue));
  co_return framing;
}

Task<OrStatus<void>> Connection::ReadBody(Exchange& exchange, bool expects_continue) {
  Parser& parser = *exchange.parser;
  Enter(Phase::kBody);
  if (expects_continue && !parser.is_done() && Received().empty()) {
    const auto [error, size] = co_await asio::async_write(
        socket_, asio::buffer(kContinue.data(), kContinue.size()), kAwait);
    closed_ = static_cast<bool>(error);
  }
  while (!closed_ && !parser.is_done()) {
    if (!Received().empty()) {
      CO_RETURN_IF_ERROR(Feed(parser, buffer_.size()));
      if (!Hold(RequestBytes(exchange))) {
        co_return std::unexpected(ErrorStatus::kServiceUnavailable);
      }
      if (parser.is_done()) break;
    }
    // A chunk header or a trailer that never ends must not fill the buffer.
    if (buffer_.size() > limits_.head_bytes) {
      co_return std::unexpected(ErrorStatus::kBadRequest);
    }
    if (const std::size_t size = co_await ReadSome(); size > 0) {
      Keep(size);
      continue;
    }
    if (timed_out_) co_return std::unexpected(ErrorStatus::kRequestTimeout);
    closed_ = true;
  }
  co_return OrStatus<void>();
}

OrStatus<void> Connection::Feed(Parser& parser, std::size_t size) {
  boost::system::error_code error;
  buffer_.consume(parser.put(asio::buffer(buffer_.data(), size), error));
  if (error == beast_http::error::body_limit) {
    return std::unexpected(ErrorStatus::kPayloadTooLarge);
  }
  if (error && error != beast_http::error::need_more) {
    return std::unexpected(ErrorStatus::kBadRequest);
  }
  return {};
}

Response Connection::Refuse(Exchange& exchange, ErrorStatus status) {
  if (exchange.request_id.empty()) Identify(exchange);
  log::Info("request refused", {{"request_id", exchange.request_id},
                                {"status", std::to_underlying(status)},
                                {"client", exchange.client},
                                {"trace_id", exchange.trace.trace_id()},
                                {"span_id", exchange.trace.span_id()}});
  if (metrics_ != nullptr) metrics_->CountRefusal(std::to_underlying(status));
  // A client that is refused for lack of resources may repeat its request.
  return status == ErrorStatus::kServiceUnavailable ? ToResponse(Error::Unavailable())
                                                    : ToResponse(status);
}

bool Connection::IsHealthCheck(const Parser& parser) const {
  const std::string_view target = View(parser.get().target());
  return std::ranges::find(options_.health_paths, target.substr(0, target.find('?'))) !=
         options_.health_paths.end();
}

void Connection::Identify(Exchange& exchange) {
  const HeaderField* request_id = nullptr;
  const HeaderField* traceparent = nullptr;
  bool has_one_trace = true;
  for (const HeaderField& field : exchange.headers) {
    if (boost::beast::iequals(field.name, "X-Request-ID")) {
      if (request_id == nullptr) request_id = &field;
    } else if (boost::beast::iequals(field.name, "traceparent")) {
      has_one_trace = std::exchange(traceparent, &field) == nullptr;
    }
  }
  exchange.request_id = request_id != nullptr && trace::IsRequestId(request_id->value)
                            ? std::string(request_id->value)
                            : trace::MakeRequestId();
  exchange.parent = traceparent != nullptr && has_one_trace
                        ? trace::TraceContext::Parse(traceparent->value)
                        : std::nullopt;
  if (options_.tracer != nullptr) {
    exchange.trace = options_.tracer->Begin(exchange.parent);
  } else if (exchange.parent) {
    exchange.trace = exchange.parent->NewSpan();
  }
  if (is_peer_proxy_) {
    exchange.client =
        options_.trusted_proxies.ClientOf({.headers = exchange.headers, .client = peer_});
  }
}

Task<Response> Connection::Handle(Exchange& exchange) {
  Enter(Phase::kHandling);
  const auto started = Clock::now();
  const auto& message = exchange.parser->get();
  const std::string_view target = View(message.target());
  const std::size_t question = target.find('?');
  const Request request{
      .method = ToMethod(message.method()),
      .path = target.substr(0, question),
      .query =
          question == std::string_view::npos ? std::string_view() : target.substr(question + 1),
      .headers = exchange.headers,
      .body = message.body(),
      .id = exchange.request_id,
      .client = exchange.client,
      .trace = exchange.trace,
      .notes = &exchange.notes,
  };
  const InProgress counted(state_.in_progress, metrics_);
  const bool is_recorded =
      options_.tracer != nullptr && exchange.trace.is_sampled() && !IsHealthCheck(*exchange.parser);
  Response response =
      is_recorded ? co_await HandleTraced(request, exchange.parent) : co_await handler_(request);
  const auto duration = Clock::now() - started;
  if (metrics_ != nullptr) metrics_->CountRequest(request.method, response, duration);
  LogRequest(request, response, duration);
  co_return response;
}

Task<Response> Connection::HandleTraced(const Request& request,
                                        const std::optional<trace::TraceContext>& parent) {
  const auto start = trace::SpanClock::now();
  auto parents =
      std::make_shared<const trace::Parents>(*options_.tracer, std::vector{request.trace});
  Response response =
      co_await asio::co_spawn(trace::TracedExecutor(socket_.get_executor(), std::move(parents)),
                              handler_(request), asio::use_awaitable);
  RecordRequest(*options_.tracer, parent, start, request, response);
  co_return response;
}

Task<void> Connection::Send(const Response& response, std::string_view request_id, bool is_head,
                            bool keep_alive) {
  Enter(Phase::kWriting);
  std::string head;
  head.reserve(kAnswerHeadBytes);
  auto out = std::back_inserter(head);
  fmt::format_to(
      out, FMT_COMPILE("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nDate: {}\r\nX-Request-ID: {}\r\n"),
      response.status, ReasonPhrase(response.status), response.content_type, HttpDate(),
      request_id);
  head += kCommonHeaders;
  bool has_cache_control = false;
  for (const auto& [name, value] : response.headers) {
    head.append(name).append(": ").append(value).append("\r\n");
    has_cache_control |= name == "Cache-Control";
  }
  if (!has_cache_control) head += "Cache-Control: no-store\r\n";
  // A 204 or 304 has neither a body nor a Content-Length (RFC 9110 section 8.6).
  const bool has_body = response.status != 204 && response.status != 304;
  const std::string_view body = has_body ? response.Content() : std::string_view();
  if (has_body) fmt::format_to(out, FMT_COMPILE("Content-Length: {}\r\n"), body.size());
  head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  std::array<asio::const_buffer, 2> message{asio::buffer(head),
                                            asio::buffer(body.data(), is_head ? 0 : body.size())};
  // Mostly the kernel takes all of it at once, and there is nothing to wait for.
  boost::system::error_code error;
  std::size_t sent = socket_.write_some(message, error);
  if (error == asio::error::would_block) error.clear();
  if (!error && sent < asio::buffer_size(message)) {
    for (asio::const_buffer& part : message) {
      const std::size_t of_part = std::min(sent, part.size());
      part += of_part;
      sent -= of_part;
    }
    std::tie(error, sent) = co_await asio::async_write(socket_, message, kAwait);
  }
  closed_ = static_cast<bool>(error);
}

Task<void> Connection::Rest() {
  Enter(Phase::kResting);
  co_await socket_.async_wait(Socket::wait_error, kAwait);
}

Task<void> Connection::Linger() {
  Enter(Phase::kLingering);
  boost::system::error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  for (std::size_t total = 0; !timed_out_ && total < kLingerBytes;) {
    const std::size_t size = co_await ReadSome();
    if (size == 0) co_return;
    total += size;
  }
}

Task<std::size_t> Connection::ReadSome() {
  for (;;) {
    auto [error] = co_await socket_.async_wait(Socket::wait_read, kAwait);
    if (error) co_return 0;
    const std::size_t size = socket_.read_some(asio::buffer(state_.received), error);
    if (error != asio::error::would_block) co_return size;
  }
}

void Connection::Keep(std::size_t size) {
  std::memcpy(buffer_.prepare(size).data(), state_.received.data(), size);
  buffer_.commit(size);
}

void Connection::Enter(Phase phase) {
  phase_ = phase;
  timed_out_ = false;
  Enlist();
  const auto now = Clock::now();
  switch (phase) {
    case Phase::kIdle:
      deadline_ = now + (draining_ ? kLingerTime : limits_.idle_timeout);
      break;
    case Phase::kHead:
      deadline_ = now + limits_.head_timeout;
      break;
    case Phase::kBody:
      deadline_ = now + limits_.body_timeout;
      break;
    case Phase::kHandling:
      deadline_ = Clock::time_point::max();  // Each step of a handler has its own deadline.
      break;
    case Phase::kWriting:
      deadline_ = now + limits_.write_timeout;
      break;
    case Phase::kResting:
      deadline_ = now + rest_;
      break;
    case Phase::kLingering:
      deadline_ = now + kLingerTime;
      break;
  }
  if (admission_ == Admission::kReserve && phase != Phase::kHandling) {
    deadline_ = std::min(deadline_, now + kReserveTime);
  }
}

void Connection::Enlist() {
  const bool waits_for_request = phase_ == Phase::kIdle || phase_ == Phase::kHead;
  if (share_.bytes() > 0 && phase_ != Phase::kHandling) {
    MoveTo(state_.holding);
  } else if (waits_for_request && !is_peer_proxy_) {
    MoveTo(state_.waiting);
  } else {
    MoveTo(unlisted_);
  }
}

void Connection::MoveTo(std::list<Connection*>& list) {
  if (list_ == &list) return;
  list.splice(list.end(), *list_, place_);
  list_ = &list;
  if (list_ == &state_.holding) holding_since_ = Clock::now();
}

bool Connection::Hold(std::size_t bytes) {
  if (bytes <= kFreeBytes) bytes = 0;
  if (bytes == share_.bytes()) return true;
  if (!share_.Resize(bytes)) return false;
  Enlist();
  return true;
}

std::size_t Connection::RequestBytes(const Exchange& exchange) const {
  return buffer_.capacity() + exchange.head_bytes + (exchange.headers.size() * kFieldBytes) +
         exchange.parser->get().body().capacity();
}

bool Connection::IsSlow(Clock::time_point now) const { return now - holding_since_ >= kPatience; }

void Connection::CheckDeadline(Clock::time_point now) {
  if (now < deadline_) return;
  // Cancels repeatedly until the phase ends, because an operation that has just completed cannot be
  // cancelled and the same phase may continue to wait.
  timed_out_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Connection::Drain() {
  draining_ = true;
  if (phase_ == Phase::kIdle) deadline_ = std::min(deadline_, Clock::now() + kLingerTime);
}

void Connection::Abort() {
  share_.Resize(0);
  MoveTo(unlisted_);
  boost::system::error_code ignored;
  socket_.close(ignored);
}

std::string_view Connection::Received() const {
  const auto bytes = buffer_.data();
  return {static_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace platform::http
