#pragma once

namespace platform::grpc::internal {

// Sets up the threads that run gRPC's callbacks. Call it before the first channel or server is
// made, on any thread, any number of times. gRPC has one thread for every two cores, at least two.
//
// The threads are kept until the process exits, because gRPC 1.51 ends them with the last channel
// or server that uses them, and sometimes frees their queue twice when it does. One thread is
// blocked for good, so that a small machine has a single active one: two threads would hand each
// message to and fro, which costs more than the message itself (docs/performance.md).
void PrepareCallbackThreads();

}  // namespace platform::grpc::internal
