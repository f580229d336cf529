#pragma once

#include <string_view>

namespace platform {

// A file that the build has embedded in the binary; see cmake/EmbedFiles.cmake. The texts live as
// long as the program.
struct EmbeddedFile {
  std::string_view name;     // Its path below the directory of its CMakeLists.txt.
  std::string_view content;  // Its bytes, which may be binary.
  std::string_view sha256;   // Digest of the content, in lower-case hexadecimal.
};

}  // namespace platform
