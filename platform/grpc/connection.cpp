#include "platform/grpc/connection.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <new>
#include <span>

#include "platform/log/log.h"

namespace platform::grpc::internal {
namespace {

namespace asio = boost::asio;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
// One write. A frame more may be added.
constexpr std::size_t kMaxWriteBytes = std::size_t{64} << 10;
constexpr std::size_t kReadBytes = std::size_t{16} << 10;
// What the peer may send on all streams together before it is processed. It is processed at once,
// so this bounds nothing but the kernel's buffers.
constexpr std::int32_t kConnectionWindow = 1 << 20;

}  // namespace

void LogFailure(const std::exception_ptr& exception) {
  if (!exception) return;
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    log::Error("gRPC connection failed", {{"error", error.what()}});
  }
}

// The functions that nghttp2 calls. `user_data` is the connection. None of them may throw, except
// for a lack of memory, which ends the process.
struct Connection::Callbacks {
  static Stream* Find(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame,
                            void* user_data) noexcept {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      static_cast<Connection*>(user_data)->OnNewStream(frame->hd.stream_id);
    }
    return 0;
  }

  static int OnHeader(nghttp2_session* session, const nghttp2_frame* frame,
                      const std::uint8_t* name, std::size_t name_length, const std::uint8_t* value,
                      std::size_t value_length, std::uint8_t, void*) noexcept {
    if (Stream* const stream = Find(session, frame->hd.stream_id)) {
      stream->OnHeader(Text(name, name_length), Text(value, value_length));
    }
    return 0;
  }

  static int OnFrame(nghttp2_session* session, const nghttp2_frame* frame,
                     void* user_data) noexcept {
    const bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (Stream* const stream = Find(session, frame->hd.stream_id)) {
          stream->OnHeadersEnd(is_last);
        }
        // The event may have ended the stream, so it is looked up again.
        if (Stream* const stream = Find(session, frame->hd.stream_id); stream && is_last) {
          stream->ReceiveEnd();
        }
        break;
      case NGHTTP2_DATA:
        if (Stream* const stream = Find(session, frame->hd.stream_id); stream && is_last) {
          stream->ReceiveEnd();
        }
        break;
      case NGHTTP2_SETTINGS:
        static_cast<Connection*>(user_data)->OnSettings();
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
          static_cast<Connection*>(user_data)->OnPingAnswer();
        }
        break;
      case NGHTTP2_GOAWAY:
        static_cast<Connection*>(user_data)->OnGoAway();
        break;
      default:
        break;
    }
    return 0;
  }

  static int OnData(nghttp2_session* session, std::uint8_t, std::int32_t id,
                    const std::uint8_t* data, std::size_t length, void*) noexcept {
    nghttp2_session_consume_connection(session, length);
    if (Stream* const stream = Find(session, id)) {
      stream->ReceiveData(Text(data, length));
    } else {
      nghttp2_session_consume_stream(session, id, length);
    }
    return 0;
  }

  static int OnStreamClose(nghttp2_session*, std::int32_t id, std::uint32_t error_code,
                           void* user_data) noexcept {
    auto* const connection = static_cast<Connection*>(user_data);
    const auto found = connection->streams_.find(id);
    if (found == connection->streams_.end()) return 0;
    const std::shared_ptr<Stream> stream = std::move(found->second);
    connection->streams_.erase(found);
    stream->Close(error_code);
    return 0;
  }

  // A server that has sent all before the client has, makes the client stop.
  static int OnFrameSent(nghttp2_session* session, const nghttp2_frame* frame,
                         void* user_data) noexcept {
    const bool ends_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
                             (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA);
    if (ends_stream && static_cast<Connection*>(user_data)->options_.is_server &&
        nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static ssize_t Pull(nghttp2_session*, std::int32_t, std::uint8_t* buffer, std::size_t length,
                      std::uint32_t* flags, nghttp2_data_source* source, void*) noexcept {
    return static_cast<Stream*>(source->ptr)->Pull(buffer, length, flags);
  }

  static std::string_view Text(const std::uint8_t* bytes, std::size_t length) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): nghttp2 has bytes.
    return {reinterpret_cast<const char*>(bytes), length};
  }

  // Shared by all connections.
  static const nghttp2_session_callbacks* All() {
    static const nghttp2_session_callbacks* const all = [] {
      nghttp2_session_callbacks* callbacks = nullptr;
      if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &OnBeginHeaders);
      nghttp2_session_callbacks_set_on_header_callback(callbacks, &OnHeader);
      nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &OnFrame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &OnData);
      nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &OnStreamClose);
      nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &OnFrameSent);
      return callbacks;
    }();
    return all;
  }
};

Connection::Connection(TlsStream stream, const ConnectionOptions& options,
                       std::shared_ptr<ReceiveBudget> budget)
    : tls_(std::move(stream)),
      options_(options),
      budget_(std::move(budget)),
      timer_(tls_.get_executor()) {}

Connection::~Connection() {
  for (const auto& [id, stream] : std::exchange(streams_, {})) {
    budget_->Change(stream->held_, 0);
    stream->Abandon();
  }
  nghttp2_session_del(session_);
}

void Connection::LimitTime(std::chrono::milliseconds timeout) {
  timer_.expires_after(timeout);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self != nullptr) self->Close();
  });
}

Task<boost::system::error_code> Connection::Handshake() {
  const auto side = options_.is_server ? TlsStream::server : TlsStream::client;
  const auto [error] = co_await tls_.async_handshake(side, kAwait);
  timer_.cancel();
  // The time may have passed while the end of the handshake was on its way here.
  if (is_closed_) co_return asio::error::timed_out;
  if (!error) StartSession();
  co_return error;
}

Task<void> Connection::Run() {
  const auto self = shared_from_this();
  std::array<std::uint8_t, kReadBytes> buffer;
  while (!is_closed_) {
    const auto [error, size] = co_await tls_.async_read_some(asio::buffer(buffer), kAwait);
    error_ = error;
    if (error) break;
    last_received_ = Clock::now();
    if (!Receive(buffer.data(), size)) break;
  }
  End();
}

void Connection::Close() {
  is_closed_ = true;
  timer_.cancel();
  boost::system::error_code ignored;
  tls_.lowest_layer().close(ignored);
}

void Connection::StartSession() {
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
  const std::unique_ptr<nghttp2_option, decltype(&nghttp2_option_del)> owner(option,
                                                                             &nghttp2_option_del);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  const auto make =
      options_.is_server ? &nghttp2_session_server_new2 : &nghttp2_session_client_new2;
  if (make(&session_, Callbacks::All(), this, option) != 0) throw std::bad_alloc();

  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options_.max_concurrent_streams},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(kMaxHeaderBytes)}};
  if (!options_.is_server) settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  last_received_ = Clock::now();
  WatchSilence(options_.keepalive_time);
  ScheduleFlush();
}

// Returns whether the connection goes on.
bool Connection::Receive(const std::uint8_t* data, std::size_t size) {
  const ssize_t processed = nghttp2_session_mem_recv(session_, data, size);
  if (is_closed_) return false;
  if (processed < 0) {
    nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR);
    Flush();
    return false;
  }
  ScheduleFlush();
  return !IsDone();
}

void Connection::ResumeSending(std::int32_t stream) {
  nghttp2_session_resume_data(session_, stream);
  ScheduleFlush();
}

void Connection::ResetStream(std::int32_t stream, std::uint32_t error_code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, error_code);
  ScheduleFlush();
}

void Connection::SubmitResponse(Stream& stream, const HeaderList& headers, bool has_messages) {
  const nghttp2_data_provider messages = MessagesOf(stream);
  nghttp2_submit_response(session_, stream.id_, headers.data(), headers.size(),
                          has_messages ? &messages : nullptr);
  ScheduleFlush();
}

void Connection::ConsumeStream(std::int32_t stream, std::size_t bytes) {
  nghttp2_session_consume_stream(session_, stream, bytes);
  ScheduleFlush();
}

void Connection::AddStream(std::int32_t id, std::shared_ptr<Stream> stream) {
  stream->id_ = id;
  stream->connection_ = this;
  nghttp2_session_set_stream_user_data(session_, id, stream.get());
  streams_.emplace(id, std::move(stream));
}

nghttp2_data_provider Connection::MessagesOf(Stream& stream) {
  return {.source = {.ptr = &stream}, .read_callback = &Callbacks::Pull};
}

void Connection::GoAway() {
  if (std::exchange(is_going_away_, true) || session_ == nullptr) return;
  nghttp2_submit_shutdown_notice(session_);
  // Its answer shows that the peer has seen the notice.
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  ScheduleFlush();
}

void Connection::OnPingAnswer() {
  if (!is_going_away_) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

void Connection::ScheduleFlush() {
  if (is_flush_scheduled_ || is_writing_ || is_closed_) return;
  is_flush_scheduled_ = true;
  asio::post(tls_.get_executor(), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->is_flush_scheduled_ = false;
    if (!self->is_writing_) self->Flush();
  });
}

void Connection::Flush() {
  if (is_closed_) return;
  outgoing_.clear();
  while (outgoing_.size() < kMaxWriteBytes) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size < 0) {
      Close();
      break;
    }
    if (size == 0) break;
    outgoing_.append(Callbacks::Text(data, static_cast<std::size_t>(size)));
  }
  if (!outgoing_.empty() && !is_closed_) {
    is_writing_ = true;
    asio::async_write(tls_, asio::buffer(outgoing_),
                      [self = shared_from_this()](const boost::system::error_code& error,
                                                  std::size_t) { self->OnWritten(error); });
  }
  if (IsDone()) Close();
}

void Connection::OnWritten(const boost::system::error_code& error) {
  is_writing_ = false;
  if (outgoing_.capacity() > kReadBytes) outgoing_ = {};
  if (error) {
    Close();
  } else {
    Flush();
  }
}

// Returns whether nothing is left to be sent or received.
bool Connection::IsDone() const {
  if (is_writing_ || nghttp2_session_want_write(session_) != 0) return false;
  return nghttp2_session_want_read(session_) == 0;
}

void Connection::WatchSilence(Clock::duration pause) {
  timer_.expires_after(pause);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self != nullptr && !self->is_closed_) self->OnSilenceCheck();
  });
}

void Connection::OnSilenceCheck() {
  const auto now = Clock::now();
  const auto silence = now - last_received_;
  if (probed_ > last_received_) {
    if (now - probed_ >= options_.keepalive_timeout) {
      Close();
    } else {
      WatchSilence(options_.keepalive_timeout - (now - probed_));
    }
  } else if (silence < options_.keepalive_time) {
    WatchSilence(options_.keepalive_time - silence);
  } else if (streams_.empty() && !options_.pings_without_streams) {
    WatchSilence(options_.keepalive_time);
  } else {
    probed_ = now;
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    ScheduleFlush();
    WatchSilence(options_.keepalive_timeout);
  }
}

// Closes the streams that are left. The coroutines that wait for them see it.
void Connection::End() {
  Close();
  for (const auto& [id, stream] : std::exchange(streams_, {})) stream->Close(std::nullopt);
  OnEnd();
}

}  // namespace platform::grpc::internal
