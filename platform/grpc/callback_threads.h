#pragma once

namespace platform::grpc::internal {

// Keeps the threads that run gRPC's callbacks until the process exits. gRPC 1.51 ends them with the
// last channel or server that uses them, and now and then frees their queue twice when it does.
// Any thread.
void KeepCallbackThreads();

}  // namespace platform::grpc::internal
