#pragma once

#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "platform/grpc/tls.h"

struct ssl_st;

namespace platform::grpc::internal {

// The settings of one end of mutual TLS for HTTP/2. Reads the files again at most every
// `refresh_interval`, when a connection is made. If they cannot be used, it logs that once and
// keeps the previous content. Any thread.
class TlsContext {
 public:
  enum class Side { kClient, kServer };

  TlsContext(TlsFiles files, Side side);

  // Returns the context for a new connection. Throws boost::system::system_error if the files
  // cannot be used the first time, so call CheckTlsFiles() before.
  std::shared_ptr<boost::asio::ssl::context> Get();

 private:
  using Clock = std::chrono::steady_clock;

  std::shared_ptr<boost::asio::ssl::context> Make() const;
  // Returns the content of all files.
  std::string Content() const;

  const TlsFiles files_;
  const Side side_;
  std::mutex mutex_;
  std::string content_;  // What `context_` was made of, or what could not be used.
  std::shared_ptr<boost::asio::ssl::context> context_;  // Null before the first connection.
  Clock::time_point next_check_{};
};

// Returns the DNS names in the peer's certificate; if it has none, its common name.
std::vector<std::string> PeerNames(ssl_st* tls);

}  // namespace platform::grpc::internal
