#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "services/customers/src/domain/deletion.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace customers {

// Returns the first deletions after a position, none if there are no further ones, and kNotFound if
// no deletion has the position.
using ReadDeletions =
    std::function<platform::Task<platform::Result<std::vector<Deletion>>>(std::int64_t after)>;

struct UserDeletionsLimits {
  std::size_t streams = 64;  // Further streams end with RESOURCE_EXHAUSTED.
  // Time between two looks for further deletions, each with a message, even if there are none.
  std::chrono::milliseconds interval{500};
  // Then a stream ends with OK. Less than the grace of connections that have reached their maximum
  // age (platform::grpc::ServerOptions), so none is cut.
  std::chrono::milliseconds max_age{5000};
};

// The streaming service customers.v1.UserDeletions, as described in user_deletions.proto.
//
// `read` is called on `executor`. The object must outlive the server with which its service is
// registered. Once the execution context is destroyed, streams end with UNAVAILABLE.
class UserDeletionsService {
 public:
  UserDeletionsService(boost::asio::any_io_executor executor, ReadDeletions read,
                       UserDeletionsLimits limits = {});
  ~UserDeletionsService();
  UserDeletionsService(const UserDeletionsService&) = delete;
  UserDeletionsService& operator=(const UserDeletionsService&) = delete;

  ::grpc::Service& service();

  // Ends all streams, and further ones, with OK. Call it before the server is shut
  // down, because streams would use up its period of grace. Any thread.
  void EndStreams();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace customers
