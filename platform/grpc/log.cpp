#include "platform/grpc/log.h"

#include <grpc/support/log.h>

#include "platform/log/log.h"

namespace platform::grpc::internal {
namespace {

// gRPC logs a failed handshake or an unreadable file as an error. It becomes a warning, because the
// service continues to work.
log::Level ToLevel(gpr_log_severity severity) {
  switch (severity) {
    case GPR_LOG_SEVERITY_ERROR:
      return log::Level::kWarning;
    case GPR_LOG_SEVERITY_INFO:
      return log::Level::kDebug;
    case GPR_LOG_SEVERITY_DEBUG:
      break;
  }
  return log::Level::kTrace;
}

void Write(gpr_log_func_args* line) {
  log::Write(ToLevel(line->severity), "gRPC says", {{"text", line->message}, {"file", line->file}});
}

}  // namespace

void RouteLog() { gpr_set_log_function(&Write); }

}  // namespace platform::grpc::internal
