#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/task.h"
#include "platform/grpc/status.h"
#include "platform/grpc/stream.h"

namespace platform::grpc {

namespace internal {
class ServerConnection;
}

// An open call, as its handler sees it. Belongs to the event loop of one worker.
//
// When the client or the network ends the call, or its deadline passes, is_closed() becomes true,
// reads return nothing, and what is sent is dropped. The handler then just returns.
class ServerCall final : public internal::Stream {
 public:
  // Takes part in the ownership of the call.
  std::shared_ptr<ServerCall> Share() {
    return std::static_pointer_cast<ServerCall>(shared_from_this());
  }

  // Returns the number of the worker that serves the call.
  std::size_t worker() const { return worker_; }

  // Returns the value of a header of the client in lower case; empty if there is none.
  std::string_view Metadata(std::string_view name) const;

  // Returns whether the server is shutting down. A streaming handler should then end its call soon.
  bool is_shutting_down() const { return is_shutting_down_; }

  // Waits. An end of the call, the beginning of a shutdown, and Wake() cut it short; what has
  // happened before does not.
  Task<void> Wait(std::chrono::milliseconds time);
  void Wake() { wake_.cancel(); }

  // Adds a trailer to the response.
  void AddTrailer(std::string name, std::string value);

 private:
  friend class internal::ServerConnection;
  friend class Server;

  ServerCall(const boost::asio::any_io_executor& executor, std::size_t worker,
             std::size_t max_message_bytes);

  void OnHeader(std::string_view name, std::string_view value) override;
  void OnHeadersEnd(bool is_last) override;
  void OnBadMessage(Status status) override;
  void OnClosed(std::optional<std::uint32_t> error_code) override;
  void BeginSending() override;
  bool SendTrailers() override;

  // Ends the call with a status, after the messages that wait to be sent. Does nothing if it has
  // ended already.
  void Finish(Status status);
  // Ends the call with an HTTP status, because the request is not one of gRPC.
  void Refuse(std::string_view http_status);
  void BeginServing(bool is_streaming);
  void OnShutdown();

  const std::size_t worker_;
  boost::asio::steady_timer wake_;

  std::string http_method_;
  std::string path_;
  std::string content_type_;
  std::string timeout_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::size_t header_bytes_ = 0;
  bool has_headers_ = false;

  std::optional<std::chrono::steady_clock::time_point> deadline_;
  bool is_streaming_ = false;
  bool is_shutting_down_ = false;
  bool has_response_ = false;     // Its headers were sent.
  std::optional<Status> status_;  // Set when the call has ended.
  std::vector<std::pair<std::string, std::string>> trailers_;
};

// A method of a service.
struct Method {
  std::string path;  // "/package.Service/Method"
  // Maximum number of open calls, of all workers together. Further ones end with
  // RESOURCE_EXHAUSTED.
  std::size_t max_calls = 0;
  // Serves a call, and returns its status. An exception ends the call with INTERNAL.
  std::function<Task<Status>(ServerCall& call)> serve;
  // Whether the client or the server may send several messages. When the server shuts down, reads
  // of a streaming call return nothing.
  bool is_streaming = false;
};

// Returns a method with one message in each direction.
template <class Request, class Response, class Serve>
Method Unary(std::string_view path, std::size_t max_calls, Serve serve) {
  return {.path = std::string(path),
          .max_calls = max_calls,
          .serve = [serve = std::move(serve)](ServerCall& call) -> Task<Status> {
            const auto bytes = co_await call.Read();
            if (!bytes) co_return Status{StatusCode::kInternal, "The request has no message"};
            Request request;
            if (!request.ParseFromString(*bytes)) {
              co_return Status{StatusCode::kInternal, "The message cannot be parsed"};
            }
            std::expected<Response, Status> response = co_await serve(call, request);
            if (!response) co_return std::move(response).error();
            call.Send(*response);
            co_return Status{};
          }};
}

}  // namespace platform::grpc
