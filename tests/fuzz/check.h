#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>

// The entry point of a fuzz target, which libFuzzer calls. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

// The input as text.
inline std::string_view Text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Checks a property that must hold for any input. Otherwise prints its name and aborts.
void Check(bool holds, std::string_view property,
           std::source_location where = std::source_location::current());

}  // namespace fuzz
