#include "platform/grpc/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>

#include "platform/grpc/log.h"

namespace platform::grpc::internal {
namespace {

namespace tls = ::grpc::experimental;

std::shared_ptr<tls::CertificateProviderInterface> WatchFiles(const TlsFiles& files) {
  // Every server and channel calls this function before it can log anything.
  RouteLog();
  const auto interval = std::max(files.refresh_interval, std::chrono::seconds{1});
  return std::make_shared<tls::FileWatcherCertificateProvider>(
      files.key.string(), files.certificate.string(), files.ca.string(),
      static_cast<unsigned int>(interval.count()));
}

}  // namespace

std::shared_ptr<::grpc::ServerCredentials> MakeServerCredentials(const TlsFiles& files) {
  tls::TlsServerCredentialsOptions options(WatchFiles(files));
  // gRPC uses the files for neither purpose unless both are watched.
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return tls::TlsServerCredentials(options);
}

std::shared_ptr<::grpc::ChannelCredentials> MakeChannelCredentials(const TlsFiles& files) {
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(WatchFiles(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(true);
  options.set_certificate_verifier(std::make_shared<tls::HostNameCertificateVerifier>());
  return tls::TlsCredentials(options);
}

}  // namespace platform::grpc::internal
