#pragma once

namespace platform::grpc::internal {

// Sets up the threads that run gRPC's callbacks; before the first channel or server is made. gRPC
// has one for every two cores, at least two.
//
// They stay until the process exits: gRPC 1.51 ends them with the last channel or server that uses
// them, and now and then frees their queue twice when it does. And one of them rests for good, so
// that a small machine has a single one: two hand each message to and fro, which costs more than
// the message itself (docs/performance.md).
//
// Any thread, any number of times.
void PrepareCallbackThreads();

}  // namespace platform::grpc::internal
