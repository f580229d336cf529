#include "platform/grpc/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <fstream>
#include <memory>
#include <string_view>

namespace platform::grpc {
namespace {

// Returns OpenSSL's last error.
std::string Reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "unknown error" : reason;
}

std::unexpected<std::string> Fault(std::string_view what, const std::filesystem::path& file,
                                   std::string_view reason) {
  return std::unexpected(std::string(what) + " " + file.string() + ": " + std::string(reason));
}

}  // namespace

std::expected<void, std::string> CheckTlsFiles(const TlsFiles& files) {
  for (const auto& file : {files.ca, files.certificate, files.key}) {
    if (!std::ifstream(file).good()) {
      return Fault("cannot read", file, "no such file, or no permission");
    }
  }
  ERR_clear_error();
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_method()),
                                                                  &SSL_CTX_free);
  if (context == nullptr) {
    return std::unexpected("cannot set up TLS: " + Reason());
  }
  if (SSL_CTX_load_verify_file(context.get(), files.ca.c_str()) != 1) {
    return Fault("no usable CA certificate in", files.ca, Reason());
  }
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1) {
    return Fault("no usable certificate in", files.certificate, Reason());
  }
  // This call also compares the key with the certificate.
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Fault("no private key for " + files.certificate.string() + " in", files.key, Reason());
  }
  return {};
}

}  // namespace platform::grpc
