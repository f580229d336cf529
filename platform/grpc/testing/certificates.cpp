#include "platform/grpc/testing/certificates.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

// For LeakSanitizer: Debian's c-ares 1.18 loses ten bytes whenever it looks "localhost" up.
// NOLINTNEXTLINE(readability-identifier-naming,bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() { return "leak:libcares"; }

namespace platform::grpc::testing {
namespace {

std::filesystem::path TemporaryDirectory() {
  std::string path = (std::filesystem::temp_directory_path() / "tls-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) {
    throw std::runtime_error("cannot create " + path);
  }
  return path;
}

void Remove(const std::filesystem::path& directory) {
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
}

// Runs scripts/certificates with these arguments, which it quotes.
void Certificates(const std::vector<std::string>& arguments) {
  std::string command = "'" MICROCART_SOURCE_DIR "/scripts/certificates'";
  for (const std::string& argument : arguments) {
    command += fmt::format(" '{}'", argument);
  }
  // NOLINTNEXTLINE(bugprone-command-processor,concurrency-mt-unsafe): what it is for.
  if (std::system((command + " >/dev/null").c_str()) != 0) {
    throw std::runtime_error("failed: " + command);
  }
}

std::string Content(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Writes beside the file, then renames: readers see the old or the new text.
void Replace(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path draft = file.string() + ".new";
  std::ofstream(draft) << text;
  std::filesystem::rename(draft, file);
}

}  // namespace

Authority::Authority() : directory_(TemporaryDirectory()) {}

Authority::~Authority() { Remove(directory_); }

std::string Authority::certificate() const {
  const std::filesystem::path file = directory_ / "ca.crt";
  if (!std::filesystem::exists(file)) {
    Certificates({directory_});
  }
  return Content(file);
}

KeyPair Authority::Issue(const CertificateSpec& spec) const {
  const auto time = [now = std::chrono::system_clock::now()](std::chrono::seconds offset) {
    return fmt::format("{:%Y%m%d%H%M%SZ}",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(now + offset)));
  };
  Certificates(
      {"--valid", time(spec.valid_from), time(spec.valid_until), directory_,
       fmt::format("{}=serverAuth,clientAuth={}", spec.common_name, spec.alternative_names)});
  const std::filesystem::path certificate = directory_ / (spec.common_name + ".crt");
  const std::filesystem::path key = directory_ / (spec.common_name + ".key");
  KeyPair issued{.certificate = Content(certificate), .key = Content(key)};
  // The next one of this name is another one.
  std::filesystem::remove(certificate);
  std::filesystem::remove(key);
  return issued;
}

TlsDirectory::TlsDirectory(const std::string& ca, const KeyPair& identity)
    : path_(TemporaryDirectory()) {
  SetCa(ca);
  SetIdentity(identity);
}

TlsDirectory::~TlsDirectory() { Remove(path_); }

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
