#include "services/customers/src/domain/user.h"

#include "platform/schema/text.h"

namespace customers {
namespace {

constexpr std::size_t kMinLength = 1;
constexpr std::size_t kMaxLength = 256;

}  // namespace

std::optional<std::string_view> PersonName::Check(const std::string& value) {
  const std::size_t length = platform::schema::CountCharacters(value);
  if (length >= kMinLength && length <= kMaxLength) return std::nullopt;
  return "Length must be between 1 and 256.";
}

void PersonName::Describe(boost::json::object& schema) {
  schema["minLength"] = kMinLength;
  schema["maxLength"] = kMaxLength;
  schema["examples"] = boost::json::array{"Penny"};
}

}  // namespace customers
