#include "tests/fuzz/check.h"

#include <cstdio>
#include <cstdlib>

namespace fuzz {

void Check(bool holds, std::string_view property, std::source_location where) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u: does not hold: %.*s\n", where.file_name(), where.line(),
               static_cast<int>(property.size()), property.data());
  std::abort();
}

}  // namespace fuzz
