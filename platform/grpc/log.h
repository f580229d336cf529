#pragma once

namespace platform::grpc::internal {

// Sends what gRPC itself has to say to platform/log instead of standard error. Any thread, any
// number of times.
void RouteLog();

}  // namespace platform::grpc::internal
