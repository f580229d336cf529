#pragma once

#include <string_view>

namespace customers {

// Returns whether a password is one of the 3,000 most common ones of at least seven characters, in
// any case. The comparison is made in Normalization Form C. `password` must be valid UTF-8.
bool IsCommonPassword(std::string_view password);

}  // namespace customers
