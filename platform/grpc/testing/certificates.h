#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "platform/grpc/tls.h"

namespace platform::grpc::testing {

// A certificate to be made. It names localhost and the loopback addresses unless told otherwise.
struct CertificateSpec {
  std::string common_name = "test";
  std::string alternative_names = "DNS:localhost,IP:127.0.0.1,IP:::1";  // As OpenSSL writes them.
  // From now.
  std::chrono::seconds valid_from = -std::chrono::hours{1};
  std::chrono::seconds valid_until = std::chrono::hours{1};
};

// A certificate and its private key, as PEM texts.
struct KeyPair {
  std::string certificate;
  std::string key;
};

// A certificate authority in memory. Two of them never trust each other's certificates.
class Authority {
 public:
  Authority();

  const std::string& certificate() const { return certificate_pem_; }
  KeyPair Issue(const CertificateSpec& spec = {}) const;

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
  std::string certificate_pem_;
};

// A directory with ca.pem, cert.pem and key.pem, removed at the end. Re-read every second.
class TlsDirectory {
 public:
  TlsDirectory(const std::string& ca, const KeyPair& identity);
  ~TlsDirectory();
  TlsDirectory(const TlsDirectory&) = delete;
  TlsDirectory& operator=(const TlsDirectory&) = delete;

  TlsFiles files() const;

  // Replace what the files hold, each at once.
  void SetCa(const std::string& ca) const;
  void SetIdentity(const KeyPair& identity) const;

 private:
  std::filesystem::path path_;
};

}  // namespace platform::grpc::testing
