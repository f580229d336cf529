#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <string>

namespace platform::grpc {

// The PEM files of one end of mutual TLS (1.2 or newer). They are read again when a connection is
// made, but at most every `refresh_interval`. New connections use the new content; existing
// connections stay as they are. Replace certificate and key together, by renaming their directory
// or a symbolic link to it: while the two do not match, new connections use the previous content.
struct TlsFiles {
  std::filesystem::path ca;                   // Certificates of one or more trusted authorities.
  std::filesystem::path certificate;          // Our own, followed by its intermediates.
  std::filesystem::path key;                  // Our private key, unencrypted.
  std::chrono::seconds refresh_interval{10};  // At least 1 s.
};

// Succeeds if the files exist and parse, and the key belongs to the certificate. The error names
// the file and the fault.
std::expected<void, std::string> CheckTlsFiles(const TlsFiles& files);

}  // namespace platform::grpc
