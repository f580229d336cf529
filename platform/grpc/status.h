#pragma once

#include <grpcpp/support/status.h>

#include "platform/result/result.h"

namespace platform::grpc {

// The one table from an Error to gRPC's statuses. The message is the error's reason or the status's
// standard phrase; an internal error's is always the phrase.
::grpc::Status ToStatus(const Error& error);

}  // namespace platform::grpc
