#pragma once

namespace platform::grpc::internal {

// Sends gRPC's own log messages to platform/log instead of standard error. Call it on any thread,
// any number of times.
void RouteLog();

}  // namespace platform::grpc::internal
