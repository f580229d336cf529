#pragma once

#include <string>

namespace platform {

// An object with the tag of its state. Equal tags mean equal states. It is an entity tag as HTTP
// has it, with its quotes (RFC 9110 section 8.8.3), and strong.
template <class T>
struct Tagged {
  T value;
  std::string tag;
};

}  // namespace platform
