#include "platform/grpc/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "platform/log/log.h"

namespace platform::grpc::internal {
namespace {

// HTTP/2, as ALPN names it: its length, then the name.
constexpr std::array<unsigned char, 3> kProtocols = {2, 'h', '2'};

int SelectProtocol(SSL*, const unsigned char** selected, unsigned char* length,
                   const unsigned char* offered, unsigned int offered_length, void*) {
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(&found, length, kProtocols.data(), kProtocols.size(),
                                           offered, offered_length);
  *selected = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

std::string ToText(const ASN1_STRING* text) {
  const unsigned char* const bytes = ASN1_STRING_get0_data(text);
  return {bytes, bytes + ASN1_STRING_length(text)};
}

}  // namespace

TlsContext::TlsContext(TlsFiles files, Side side) : files_(std::move(files)), side_(side) {}

std::shared_ptr<boost::asio::ssl::context> TlsContext::Get() {
  const std::scoped_lock lock(mutex_);
  const auto now = Clock::now();
  if (context_ != nullptr && now < next_check_) return context_;
  next_check_ = now + files_.refresh_interval;
  std::string content = Content();
  if (context_ != nullptr && content == content_) return context_;
  content_ = std::move(content);
  if (context_ == nullptr) return context_ = Make();
  if (const auto checked = CheckTlsFiles(files_); !checked) {
    log::Warning("the changed certificates cannot be used", {{"reason", checked.error()}});
    return context_;
  }
  try {
    context_ = Make();
    log::Info("the changed certificates are used");
  } catch (const boost::system::system_error& error) {
    log::Warning("the changed certificates cannot be used", {{"reason", error.code().message()}});
  }
  return context_;
}

std::shared_ptr<boost::asio::ssl::context> TlsContext::Make() const {
  namespace ssl = boost::asio::ssl;
  auto context = std::make_shared<ssl::context>(side_ == Side::kServer ? ssl::context::tls_server
                                                                       : ssl::context::tls_client);
  context->load_verify_file(files_.ca.string());
  context->use_certificate_chain_file(files_.certificate.string());
  context->use_private_key_file(files_.key.string(), ssl::context::pem);
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  SSL_CTX* const native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  // Each connection verifies the peer's certificate anew, so no session is resumed.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(native, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(native, 0);
  // A connection that waits keeps no buffers for records.
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  if (side_ == Side::kServer) {
    SSL_CTX_set_alpn_select_cb(native, &SelectProtocol, nullptr);
  } else {
    SSL_CTX_set_alpn_protos(native, kProtocols.data(), kProtocols.size());
  }
  return context;
}

std::string TlsContext::Content() const {
  std::string content;
  for (const auto& file : {files_.ca, files_.certificate, files_.key}) {
    std::ifstream stream(file);
    content.append(std::istreambuf_iterator<char>(stream), {});
    content += '\0';
  }
  return content;
}

std::vector<std::string> PeerNames(ssl_st* tls) {
  std::vector<std::string> names;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(tls),
                                                                &X509_free);
  if (certificate == nullptr) return names;
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> alternatives(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS) names.push_back(ToText(name->d.dNSName));
  }
  if (!names.empty()) return names;
  const X509_NAME* const subject = X509_get_subject_name(certificate.get());
  const int position = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (position >= 0) {
    names.push_back(ToText(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, position))));
  }
  return names;
}

}  // namespace platform::grpc::internal
