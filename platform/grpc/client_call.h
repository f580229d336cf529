#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/grpc/status.h"
#include "platform/grpc/stream.h"

namespace platform::grpc {

namespace internal {
class ClientConnection;
}

// Names are in lower case, values are visible ASCII. Empty values are not sent.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// A call of a client, made by Channel::Start(). Belongs to the channel's event loop. It has ended
// when Read() returns nothing.
class ClientCall final : public internal::Stream {
 public:
  using Stream::sent_count;

  // Sends no more messages after those that wait.
  using Stream::EndSending;

  // Ends the call with CANCELLED, unless it has ended.
  void Cancel();

  // Closes the call's connection, with all of its calls, because it seems to be dead.
  void CloseConnection();

  // Returns the status of a call that has ended.
  const Status& status() const;

  // Returns a trailer of a call that has ended, or of the headers of one without messages; empty if
  // there is none.
  std::string_view Trailer(std::string_view name) const;

 private:
  friend class Channel;
  friend class internal::ClientConnection;

  ClientCall(const boost::asio::any_io_executor& executor, std::string path, Metadata metadata,
             std::optional<std::chrono::milliseconds> timeout, std::size_t max_message_bytes);

  void OnHeader(std::string_view name, std::string_view value) override;
  void OnHeadersEnd(bool is_last) override;
  void OnBadMessage(Status status) override;
  void OnPeerEnd() override;
  void OnClosed(std::optional<std::uint32_t> error_code) override;

  void WatchDeadline();
  // Ends the call from this side, unless it has ended.
  void Fail(Status status);

  const std::string path_;
  const Metadata metadata_;
  const std::optional<std::chrono::steady_clock::time_point> deadline_;
  boost::asio::steady_timer deadline_timer_;

  std::string http_status_;
  std::string grpc_status_;
  std::string grpc_message_;
  std::vector<std::pair<std::string, std::string>> trailers_;
  std::size_t header_bytes_ = 0;
  std::optional<Status> status_;  // Set when the call has ended.
};

}  // namespace platform::grpc
