#pragma once

#include <string_view>

namespace customers {

// Returns whether a password is one of the 3,000 most common ones of at least seven characters,
// whatever its case. Both it and the list are in Normalization Form C. `password` is valid UTF-8.
bool IsCommonPassword(std::string_view password);

}  // namespace customers
