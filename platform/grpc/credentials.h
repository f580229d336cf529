#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "platform/grpc/tls.h"

namespace platform::grpc::internal {

// Requires a client certificate of our authority.
std::shared_ptr<::grpc::ServerCredentials> MakeServerCredentials(const TlsFiles& files);

// Requires a server certificate of our authority that names the host connected to.
std::shared_ptr<::grpc::ChannelCredentials> MakeChannelCredentials(const TlsFiles& files);

}  // namespace platform::grpc::internal
