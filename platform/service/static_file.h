#pragma once

#include <string>
#include <string_view>

#include "platform/http/message.h"

namespace platform::service {

// A text that is the same for everybody, as the build or the start of the program made it. What the
// views refer to outlives the server.
struct StaticFile {
  std::string_view content;
  std::string_view gzip = {};  // The content compressed; empty where it is not worth it.
  std::string_view content_type;
  std::string version;           // Changes with the content; letters and digits only.
  bool is_immutable = false;     // Its address changes with its content: never ask again.
  std::string_view policy = {};  // A Content-Security-Policy, for markup.
};

// Answers GET or HEAD: compressed where the client accepts it, and 304 where he has it already
// (RFC 9110 section 13.1.2).
http::Response Answer(const StaticFile& file, const http::Request& request);

}  // namespace platform::service
