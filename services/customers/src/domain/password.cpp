#include "services/customers/src/domain/password.h"

#include "platform/schema/text.h"
#include "services/customers/src/domain/common_passwords.h"

namespace customers {
namespace {

struct MinLength {
  std::size_t characters;
  std::string complaint = "Shorter than minimum length " + std::to_string(characters) + ".";
};

MinLength& TheMinLength() {
  static MinLength length{NewPassword::kLeastMinLength};
  return length;
}

}  // namespace

void Password::Describe(boost::json::object& schema) {
  schema["format"] = "password";
  schema["examples"] = boost::json::array{"testPass123"};
}

void EnteredPassword::Describe(boost::json::object& schema) { Password::Describe(schema); }

void NewPassword::SetMinLength(std::size_t length) { TheMinLength() = {length}; }

std::optional<std::string_view> NewPassword::Check(const std::string& value) {
  const MinLength& min_length = TheMinLength();
  using platform::schema::CountCharacters;
  using platform::schema::ToNfc;
  // Counted in NFC, because the shortest spelling must be long enough for a login.
  if (CountCharacters(ToNfc(value)) < min_length.characters) {
    return min_length.complaint;
  }
  if (const auto complaint = ValueType::Check(value)) return complaint;
  if (IsCommonPassword(value)) return "This password is too common.";
  return std::nullopt;
}

void NewPassword::Describe(boost::json::object& schema) {
  Password::Describe(schema);
  schema["minLength"] = TheMinLength().characters;
  schema["description"] = "None of the 3,000 most common passwords.";
}

}  // namespace customers
