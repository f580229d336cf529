#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "platform/grpc/tls.h"

namespace platform::grpc::testing {

// A certificate to be made. By default it names localhost and the loopback addresses.
struct CertificateSpec {
  std::string common_name = "test";
  std::string alternative_names = "DNS:localhost,IP:127.0.0.1,IP:::1";  // In OpenSSL's form.
  // Relative to the present.
  std::chrono::seconds valid_from = -std::chrono::hours{1};
  std::chrono::seconds valid_until = std::chrono::hours{1};
};

// A certificate and its private key, as PEM texts.
struct KeyPair {
  std::string certificate;
  std::string key;
};

// A certificate authority of scripts/certificates. Two of them never trust each other's
// certificates.
class Authority {
 public:
  Authority();
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  std::string certificate() const;
  KeyPair Issue(const CertificateSpec& spec = {}) const;

 private:
  std::filesystem::path directory_;
};

// A directory with ca.pem, cert.pem and key.pem, removed by the destructor. Services read the files
// again every second.
class TlsDirectory {
 public:
  TlsDirectory(const std::string& ca, const KeyPair& identity);
  ~TlsDirectory();
  TlsDirectory(const TlsDirectory&) = delete;
  TlsDirectory& operator=(const TlsDirectory&) = delete;

  TlsFiles files() const;

  // These replace the content of the files atomically.
  void SetCa(const std::string& ca) const;
  void SetIdentity(const KeyPair& identity) const;

 private:
  std::filesystem::path path_;
};

}  // namespace platform::grpc::testing
