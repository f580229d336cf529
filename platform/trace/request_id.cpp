#include "platform/trace/request_id.h"

#include <algorithm>
#include <cctype>

#include "platform/security/random.h"

namespace platform::trace {
namespace {

constexpr std::size_t kRequestIdBytes = 16;

}  // namespace

bool IsRequestId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxRequestIdLength &&
         std::ranges::all_of(id, [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == ':';
         });
}

std::string MakeRequestId() { return security::RandomHex(kRequestIdBytes); }

}  // namespace platform::trace
