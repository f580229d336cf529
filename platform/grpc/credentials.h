#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>
#include <vector>

#include "platform/grpc/tls.h"

namespace platform::grpc::internal {

// Requires a client certificate of our authority and, unless `client_names` is empty, of one of
// these names.
std::shared_ptr<::grpc::ServerCredentials> MakeServerCredentials(
    const TlsFiles& files, const std::vector<std::string>& client_names);

// Requires a server certificate of our authority that names the host connected to.
std::shared_ptr<::grpc::ChannelCredentials> MakeChannelCredentials(const TlsFiles& files);

}  // namespace platform::grpc::internal
