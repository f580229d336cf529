#include "platform/trace/sampler.h"

#include <charconv>
#include <cstdint>
#include <string_view>

namespace platform::trace {
namespace {

constexpr std::size_t kRandomDigits = 16;
constexpr int kHexadecimal = 16;
constexpr double kTwoToThe63 = 9223372036854775808.0;

}  // namespace

bool Sampler::Samples(const std::optional<TraceContext>& parent, const TraceContext& span) const {
  if (parent && follows_parent) return parent->is_sampled();
  // The last digits, because they are random in the ids of other systems too.
  const std::string_view id = span.trace_id();
  std::uint64_t number = 0;
  std::from_chars(id.data() + id.size() - kRandomDigits, id.data() + id.size(), number,
                  kHexadecimal);
  return (number >> 1) < static_cast<std::uint64_t>(ratio * kTwoToThe63);
}

}  // namespace platform::trace
