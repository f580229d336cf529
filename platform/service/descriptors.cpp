#include "platform/service/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstddef>

#include "platform/log/log.h"

namespace platform::service {
namespace {

// Descriptors beside clients' connections: 1,024 for connections of gRPC (platform/grpc/server.h);
// listeners, event loops, the database, metrics.
constexpr std::size_t kShared = 1024 + 256;
constexpr std::size_t kPerWorker = 16;

// Raises the limit of open files as far as permitted, and returns it.
std::size_t RaiseLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

}  // namespace

void MakeRoomForConnections(Settings& settings) {
  const std::size_t limit = RaiseLimit();
  const std::size_t others = kShared + (kPerWorker * settings.workers);
  const std::size_t room = limit - std::min(limit, others);
  std::size_t& each = settings.http.limits.connections;
  const std::size_t wanted = each * settings.workers;
  if (wanted <= room) return;
  each = std::max<std::size_t>(room / settings.workers, 1);
  log::Warning(
      "HTTP_MAX_CONNECTIONS is more than the limit of open files allows: lower it, or raise that",
      {{"http_max_connections", wanted},
       {"open_files", limit},
       {"connections_at_once", each * settings.workers}});
}

}  // namespace platform::service
