#include "platform/grpc/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "platform/grpc/log.h"
#include "platform/log/log.h"

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

// Accepts a client if one of its certificate's DNS names is in the list. A certificate without DNS
// names is known by its common name.
class ClientNameVerifier final : public tls::ExternalCertificateVerifier {
 public:
  explicit ClientNameVerifier(std::vector<std::string> names) : names_(std::move(names)) {}

  bool Verify(tls::TlsCustomVerificationCheckRequest* request,
              std::function<void(::grpc::Status)> /*callback*/,
              ::grpc::Status* sync_status) override {
    std::vector<::grpc::string_ref> presented = request->dns_names();
    if (presented.empty()) presented.push_back(request->common_name());
    const bool is_known = std::ranges::any_of(presented, [this](const ::grpc::string_ref& name) {
      return std::ranges::find(names_, std::string_view(name.data(), name.size())) != names_.end();
    });
    if (!is_known) {
      const std::string name(presented.front().data(), presented.front().size());
      log::Warning("gRPC client refused", {{"name", name}});
      *sync_status = {::grpc::StatusCode::PERMISSION_DENIED, "no client of this name is served"};
    }
    return true;
  }

  void Cancel(tls::TlsCustomVerificationCheckRequest* /*request*/) override {}

 private:
  const std::vector<std::string> names_;
};

}  // namespace

std::shared_ptr<::grpc::ServerCredentials> MakeServerCredentials(
    const TlsFiles& files, const std::vector<std::string>& client_names) {
  tls::TlsServerCredentialsOptions options(WatchFiles(files));
  // gRPC uses the files for neither purpose unless both are watched.
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  if (!client_names.empty()) {
    options.set_certificate_verifier(
        tls::ExternalCertificateVerifier::Create<ClientNameVerifier>(client_names));
  }
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
