#include "platform/security/authorization.h"

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>

namespace platform::security {
namespace {

struct AuthorizationCase {
  std::string_view label;
  std::string_view header;
  std::expected<std::string_view, AuthorizationError> expected;
};

void PrintTo(const AuthorizationCase& row, std::ostream* out) { *out << row.label; }

class Authorization : public testing::TestWithParam<AuthorizationCase> {};

TEST_P(Authorization, IsParsed) {
  const auto parsed = ParseAuthorization(GetParam().header);
  EXPECT_EQ(parsed.has_value(), GetParam().expected.has_value());
  EXPECT_TRUE(parsed == GetParam().expected);
}

constexpr std::unexpected kNotTwoWords(AuthorizationError::kNotTwoWords);
constexpr std::unexpected kWrongScheme(AuthorizationError::kWrongScheme);

INSTANTIATE_TEST_SUITE_P(
    , Authorization,
    testing::Values(AuthorizationCase{"usual", "Bearer a.b.c", "a.b.c"},
                    AuthorizationCase{"lower_case", "bearer a.b.c", "a.b.c"},
                    AuthorizationCase{"upper_case", "BEARER a.b.c", "a.b.c"},
                    AuthorizationCase{"white_space", " \tBearer \t a.b.c\r\n", "a.b.c"},
                    AuthorizationCase{"empty", "", kNotTwoWords},
                    AuthorizationCase{"blank", "  \t ", kNotTwoWords},
                    AuthorizationCase{"scheme_alone", "Bearer", kNotTwoWords},
                    AuthorizationCase{"scheme_and_space", "Bearer ", kNotTwoWords},
                    AuthorizationCase{"token_alone", "a.b.c", kNotTwoWords},
                    AuthorizationCase{"three_words", "Bearer a.b.c d", kNotTwoWords},
                    AuthorizationCase{"three_words_wrong_scheme", "Basic a b", kNotTwoWords},
                    AuthorizationCase{"other_scheme", "Basic dXNlcg==", kWrongScheme},
                    AuthorizationCase{"scheme_prefix", "Bear a.b.c", kWrongScheme},
                    AuthorizationCase{"longer_scheme", "Bearers a.b.c", kWrongScheme},
                    AuthorizationCase{"colon", "Bearer: a.b.c", kWrongScheme},
                    AuthorizationCase{"binary", "\xFF\xFE \xFD", kWrongScheme}),
    [](const auto& row) { return std::string(row.param.label); });

}  // namespace
}  // namespace platform::security
