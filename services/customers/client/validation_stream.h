#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "proto/customers/v1/token_validation.grpc.pb.h"

namespace customers::client {

// One stream of customers.v1.TokenValidation, from its start until gRPC is done with it. gRPC's
// threads write and read the messages. The owner, on one event loop, hands messages over and takes
// the received ones. It is woken at most once for all messages that arrived since it last took any.
class ValidationStream final
    : public ::grpc::ClientBidiReactor<v1::ValidateTokensRequest, v1::ValidateTokensResponse> {
 public:
  struct Received {
    std::vector<v1::ValidateTokensResponse> messages;
    std::optional<::grpc::Status> end;  // Set when the stream has ended; nothing follows it.
  };

  // Starts a stream, whose first message must follow at once. `on_received` is posted to the
  // executor when Take() has something to return, and not again before Take() is called. gRPC keeps
  // the stream alive until its end. `ended` is fulfilled when gRPC no longer uses the stream, which
  // must be before the process exits.
  static std::shared_ptr<ValidationStream> Start(v1::TokenValidation::StubInterface& stub,
                                                 const boost::asio::any_io_executor& executor,
                                                 std::function<void()> on_received,
                                                 std::promise<void> ended);

  // The owner calls the following functions, which do not block.

  // Sends messages, after all earlier ones. A stream that has ended only keeps them.
  void Send(std::vector<v1::ValidateTokensRequest> messages);

  // Half-closes the stream once all messages are sent. The customers service answers them, then
  // ends the stream.
  void HalfClose();

  // Returns the messages that have not been handed to gRPC, and will not be sent. Call it only when
  // the stream has ended or is abandoned.
  std::vector<v1::ValidateTokensRequest> TakeUnsent();

  // Returns the messages, and the end of the stream, that have been received since the last call.
  Received Take();

  // Cancels the stream. From then on it posts no `on_received` and does not use the executor.
  void Abandon();

 private:
  ValidationStream(boost::asio::any_io_executor executor, std::function<void()> on_received,
                   std::promise<void> ended);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const ::grpc::Status& status) override;

  // Call these with `mutex_` held.
  void WriteNext();
  void Notify();

  ::grpc::ClientContext context_;
  const boost::asio::any_io_executor executor_;
  const std::function<void()> on_received_;
  std::promise<void> ended_;
  std::shared_ptr<ValidationStream> self_;  // Keeps the stream alive until OnDone().
  v1::ValidateTokensResponse incoming_;     // The message being read.

  // gRPC never invokes a reaction from inside StartRead(), StartWrite() or StartWritesDone(), so
  // all may be called with the mutex held. That orders them before RemoveHold(), after which none
  // may be called.
  std::mutex mutex_;
  // The first message is being written while is_writing_ is set.
  std::deque<v1::ValidateTokensRequest> outbox_;
  bool is_writing_ = false;
  bool is_open_ = true;      // StartRead() and StartWrite() may still be called.
  bool is_closing_ = false;  // To be half-closed when all messages are written.
  bool is_paused_ = false;   // No read is under way until received messages are taken.
  bool is_abandoned_ = false;
  bool is_notified_ = false;  // on_received_ was posted, and Take() has not been called since.
  Received received_;
};

}  // namespace customers::client
