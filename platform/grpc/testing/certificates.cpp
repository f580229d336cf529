#include "platform/grpc/testing/certificates.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <stdexcept>

// For LeakSanitizer: Debian's c-ares 1.18 loses ten bytes whenever it looks "localhost" up.
// NOLINTNEXTLINE(readability-identifier-naming,bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() { return "leak:libcares"; }

namespace platform::grpc::testing {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

void Require(bool ok, const char* what) {
  if (!ok) {
    throw std::runtime_error(std::string("OpenSSL failed: ") + what);
  }
}

Key MakeKey() {
  Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), &EVP_PKEY_free);
  Require(key != nullptr, "key");
  return key;
}

std::string ToPem(const std::function<int(BIO*)>& write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
  Require(memory != nullptr && write(memory.get()) == 1, "PEM");
  std::string text(BIO_ctrl_pending(memory.get()), '\0');
  BIO_read(memory.get(), text.data(), static_cast<int>(text.size()));
  return text;
}

std::string ToPem(X509* certificate) {
  return ToPem([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::string ToPem(EVP_PKEY* key) {
  return ToPem([key](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), &X509_EXTENSION_free);
  Require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1,
          value.c_str());
}

// A certificate for `key`, without extensions and signature.
Certificate Draft(EVP_PKEY* key, const CertificateSpec& spec) {
  Certificate certificate(X509_new(), &X509_free);
  Require(certificate != nullptr, "certificate");
  X509* x509 = certificate.get();
  std::uint32_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial));
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial);
  X509_set_version(x509, X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(x509), spec.valid_from.count());
  X509_gmtime_adj(X509_getm_notAfter(x509), spec.valid_until.count());
  X509_set_pubkey(x509, key);
  const auto* name = reinterpret_cast<const unsigned char*>(spec.common_name.c_str());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8, name, -1, -1, 0);
  return certificate;
}

// Writes beside the file, then renames: readers see the old or the new text.
void Replace(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path draft = file.string() + ".new";
  std::ofstream(draft) << text;
  std::filesystem::rename(draft, file);
}

}  // namespace

Authority::Authority()
    : key_(MakeKey()), certificate_(Draft(key_.get(), {.common_name = "Test authority"})) {
  X509* x509 = certificate_.get();
  X509_set_issuer_name(x509, X509_get_subject_name(x509));
  AddExtension(x509, x509, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(x509, x509, NID_subject_key_identifier, "hash");
  Require(X509_sign(x509, key_.get(), EVP_sha256()) > 0, "signature");
  certificate_pem_ = ToPem(x509);
}

KeyPair Authority::Issue(const CertificateSpec& spec) const {
  const Key key = MakeKey();
  const Certificate certificate = Draft(key.get(), spec);
  X509* x509 = certificate.get();
  X509_set_issuer_name(x509, X509_get_subject_name(certificate_.get()));
  AddExtension(x509, certificate_.get(), NID_subject_alt_name, spec.alternative_names);
  AddExtension(x509, certificate_.get(), NID_authority_key_identifier, "keyid");
  Require(X509_sign(x509, key_.get(), EVP_sha256()) > 0, "signature");
  return {.certificate = ToPem(x509), .key = ToPem(key.get())};
}

TlsDirectory::TlsDirectory(const std::string& ca, const KeyPair& identity) {
  std::string path = (std::filesystem::temp_directory_path() / "tls-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) {
    throw std::runtime_error("cannot create " + path);
  }
  path_ = path;
  SetCa(ca);
  SetIdentity(identity);
}

TlsDirectory::~TlsDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

TlsFiles TlsDirectory::files() const {
  return {.ca = path_ / "ca.pem",
          .certificate = path_ / "cert.pem",
          .key = path_ / "key.pem",
          .refresh_interval = std::chrono::seconds{1}};
}

void TlsDirectory::SetCa(const std::string& ca) const { Replace(files().ca, ca); }

void TlsDirectory::SetIdentity(const KeyPair& identity) const {
  Replace(files().key, identity.key);
  Replace(files().certificate, identity.certificate);
}

}  // namespace platform::grpc::testing
