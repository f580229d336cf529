#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <string>

namespace platform::grpc {

// The PEM files of one end of mutual TLS (1.2 or newer). They are read again every
// `refresh_interval`, and new connections use what is in them then; connections that are up stay.
// Replace certificate and key together (by renaming their directory or a symbolic link to it):
// while the two do not match, new connections fail.
struct TlsFiles {
  std::filesystem::path ca;           // Whom to trust: the certificates of one or more authorities.
  std::filesystem::path certificate;  // Our own, followed by its intermediates.
  std::filesystem::path key;          // Our private key, unencrypted.
  std::chrono::seconds refresh_interval{10};  // At least 1 s.
};

// Whether the files are there, parse, and the key belongs to the certificate; else the fault,
// naming the file. Without this check gRPC would start, and fail every handshake with no word about
// why.
std::expected<void, std::string> CheckTlsFiles(const TlsFiles& files);

}  // namespace platform::grpc
