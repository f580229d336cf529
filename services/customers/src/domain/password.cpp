#include "services/customers/src/domain/password.h"

#include "platform/schema/text.h"

namespace customers {
namespace {

// In characters, not bytes.
constexpr std::size_t kMinLength = 7;
constexpr std::size_t kMaxLength = 1024;

}  // namespace

std::optional<std::string_view> Password::Check(const std::string& value) {
  if (platform::schema::CountCharacters(value) <= kMaxLength) return std::nullopt;
  return "Longer than maximum length 1024.";
}

void Password::Describe(boost::json::object& schema) {
  schema["format"] = "password";
  schema["maxLength"] = kMaxLength;
  schema["examples"] = boost::json::array{"testPass123"};
}

std::optional<std::string_view> NewPassword::Check(const std::string& value) {
  if (platform::schema::CountCharacters(value) < kMinLength)
    return "Shorter than minimum length 7.";
  return Password::Check(value);
}

void NewPassword::Describe(boost::json::object& schema) {
  Password::Describe(schema);
  schema["minLength"] = kMinLength;
}

}  // namespace customers
