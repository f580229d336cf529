#pragma once

#include <string_view>

namespace platform {

// A file that the build put into the binary: see cmake/EmbedFiles.cmake. The texts live as long as
// the program.
struct EmbeddedFile {
  std::string_view name;     // As it was listed, below the directory of its CMakeLists.txt.
  std::string_view content;  // Its bytes; they may be binary.
  std::string_view sha256;   // Of the content, in lower-case hexadecimal.
};

}  // namespace platform
