#pragma once

#include <google/protobuf/message_lite.h>
#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "platform/base/task.h"
#include "platform/grpc/wire.h"

namespace platform::grpc::internal {

class Connection;

// One call on an HTTP/2 connection: messages in both directions. Belongs to the event loop of its
// connection, and may outlive the connection: then it is closed. A client's call may wait for a
// connection.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  const boost::asio::any_io_executor& executor() const { return executor_; }

  // Returns whether nothing can be sent or received any more.
  bool is_closed() const { return is_closed_; }

  // Returns the next message. Returns nothing if none can follow, or reading was stopped. One read
  // at a time.
  Task<std::optional<std::string>> Read();

  // Sends a message after all earlier ones. Does nothing if the stream is closed.
  void Send(const google::protobuf::MessageLite& message) { SendFrame(Frame(message), nullptr); }

  // The same, and returns when flow control has let the message pass, or the stream is closed.
  Task<void> SendAndWait(const google::protobuf::MessageLite& message) {
    return SendFrameAndWait(Frame(message));
  }

 protected:
  Stream(boost::asio::any_io_executor executor, std::size_t max_message_bytes)
      : executor_(std::move(executor)), parser_(max_message_bytes) {}

  std::int32_t id() const { return id_; }
  Connection* connection() const { return connection_; }
  // Returns the number of messages that were sent, as far as flow control let them pass.
  std::size_t sent_count() const { return sent_count_; }
  // Ends the direction to the peer after the messages that wait.
  void EndSending();
  // Resumes a coroutine after the present event. nghttp2 is then no longer at work.
  void Resume(std::move_only_function<void()> resume) const;
  bool is_sending_over() const { return is_sending_over_; }
  // Lets Read() return nothing from now on.
  void StopReading();
  // Ends the stream with an RST_STREAM, if it has a connection.
  void Reset(std::uint32_t error_code);
  // Ends the stream on this side. `error_code` is the one that the peer has sent. It is unset if
  // the connection has ended, or if the stream never had one.
  void Close(std::optional<std::uint32_t> error_code);

 private:
  friend class Connection;

  struct Outgoing {
    std::string frame;
    std::move_only_function<void()> done;  // Resumes the coroutine that waits; may be null.
  };

  // Events, in the order in which they arrive. None may resume a coroutine itself; see Resume().

  // A header of the request or the response, or a trailer.
  virtual void OnHeader(std::string_view name, std::string_view value) = 0;
  // The headers are complete. `is_last` if no messages follow.
  virtual void OnHeadersEnd(bool is_last) = 0;
  // The peer has violated the protocol or a limit.
  virtual void OnBadMessage(Status status) = 0;
  // The peer sends no more messages.
  virtual void OnPeerEnd() {}
  // Nothing more can be sent or received.
  virtual void OnClosed(std::optional<std::uint32_t> error_code) = 0;
  // Precedes the first message that is sent.
  virtual void BeginSending() {}
  // The last message was sent. Returns whether the stream is still to be ended by trailers.
  virtual bool SendTrailers() { return false; }

  Task<void> SendFrameAndWait(std::string frame);
  void SendFrame(std::string frame, std::move_only_function<void()> done);
  void ReceiveData(std::string_view bytes);
  void ReceiveEnd();
  // Destroys the coroutines that wait, because the event loop is being destroyed.
  void Abandon();
  // Fills the buffer with bytes to be sent, as nghttp2's data source does.
  ssize_t Pull(std::uint8_t* buffer, std::size_t length, std::uint32_t* flags);

  void ResumeReader();
  void ConsumeTaken();
  void CountHeld();

  const boost::asio::any_io_executor executor_;
  Connection* connection_ = nullptr;  // Null before the stream has one, and after its end.
  std::int32_t id_ = -1;
  bool is_closed_ = false;

  MessageParser parser_;
  std::deque<std::string> inbox_;
  std::size_t inbox_bytes_ = 0;
  std::size_t unconsumed_ = 0;  // Bytes received for which no window was granted again.
  std::size_t held_ = 0;        // Bytes counted in the connection's budget.
  bool is_reading_over_ = false;
  std::move_only_function<void()> reader_;

  std::deque<Outgoing> outbox_;
  std::size_t sent_count_ = 0;
  std::size_t sent_of_first_ = 0;  // Bytes of the first message that were sent.
  bool has_begun_ = false;
  bool is_sending_over_ = false;
  bool is_deferred_ = false;  // nghttp2 asks for no bytes until it is told that there are some.
};

}  // namespace platform::grpc::internal
