#pragma once

#include <string>
#include <string_view>

#include "platform/http/message.h"

namespace platform::service {

// A text that is the same for all clients, made by the build or at the start of the program. The
// views' texts must outlive the server.
struct StaticFile {
  std::string_view content;
  std::string_view gzip = {};  // The compressed content; empty if compression has no benefit.
  std::string_view content_type;
  std::string version;        // Changes with the content; letters and digits only.
  bool is_immutable = false;  // Its address changes with its content, so it may be cached for ever.
  std::string_view policy = {};  // A Content-Security-Policy, for markup.
};

// Answers GET or HEAD: compressed if the client accepts that, and 304 if the client has the file
// already (RFC 9110 section 13.1.2).
http::Response Answer(const StaticFile& file, const http::Request& request);

}  // namespace platform::service
