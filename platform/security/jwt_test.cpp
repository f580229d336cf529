#include "platform/security/jwt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include <array>
#include <ostream>
#include <stdexcept>

#include "platform/security/base64.h"

namespace platform::security {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::HasSubstr;
using testing::Not;

const std::string kSecret = "microcart-test-secret-0123456789abcdef";
const std::string kOtherSecret = "another-test-secret-0123456789abcdefgh";
constexpr sys_seconds kNow{seconds(1'800'000'000)};
constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::string_view kPayload =
    R"({"id":7,"email":"a@example.com","is_admin":true,"exp":1800000001,"ver":3})";

// Returns "<input>.<signature>", with a signature that is made without the library under test.
std::string WithSignature(const std::string& input, const std::string& secret = kSecret) {
  crypto_auth_hmacsha256_state state;
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> mac{};
  crypto_auth_hmacsha256_init(&state, reinterpret_cast<const unsigned char*>(secret.data()),
                              secret.size());
  crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(input.data()),
                                input.size());
  crypto_auth_hmacsha256_final(&state, mac.data());
  return input + "." + EncodeBase64Url({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

std::string Token(std::string_view header, std::string_view payload,
                  const std::string& secret = kSecret) {
  return WithSignature(EncodeBase64Url(header) + "." + EncodeBase64Url(payload), secret);
}

TokenCodec Codec() { return TokenCodec({Secret(kSecret)}); }

std::string Reason(std::string_view token) {
  const auto claims = Codec().Verify(token, kNow);
  return claims ? "valid" : claims.error();
}

TEST(TokenCodec, ReadsBackWhatItSigns) {
  const Claims claims{.id = 2147483647,
                      .email = "\"zoë\\\"@example.com",
                      .is_admin = true,
                      .exp = 1'800'000'001,
                      .version = 12,
                      .session = 2147483647};
  const auto verified = Codec().Verify(Codec().Sign(claims), kNow);
  ASSERT_TRUE(verified.has_value()) << verified.error();
  EXPECT_EQ(*verified, claims);
}

TEST(TokenCodec, SignsNoSessionThatATokenDoesNotHave) {
  const std::string token = Codec().Sign({.id = 7, .exp = 1'800'000'001, .version = 3});
  const std::string payload = token.substr(token.find('.') + 1);
  EXPECT_TRUE(payload.starts_with(
      EncodeBase64Url(R"({"email":"","exp":1800000001,"id":7,"is_admin":false,"ver":3})")))
      << payload;
}

TEST(TokenCodec, ASessionIsAPositiveInt32) {
  for (const char* sid : {"0", "-1", "2147483648", "1.0", "\"1\"", "true", "null", "[1]"}) {
    EXPECT_EQ(Reason(Token(kHeader, R"({"id":7,"exp":1800000001,"sid":)" + std::string(sid) + "}")),
              "Invalid payload")
        << sid;
  }
  EXPECT_EQ(Reason(Token(kHeader, R"({"id":7,"exp":1800000001,"sid":1})")), "valid");
}

TEST(TokenCodec, SignsAsTheStandardSays) {
  const std::string token = Codec().Sign({.id = 7, .email = "a@b.cc", .exp = 1});
  EXPECT_EQ(WithSignature(token.substr(0, token.rfind('.'))), token);
  EXPECT_THAT(token,
              testing::StartsWith(EncodeBase64Url(R"({"alg":"HS256","typ":"JWT"})").substr(0, 4)));
}

TEST(TokenCodec, AcceptsTokensOfTheReference) {
  // Made by PyJWT 2.6 with the claims of the Python services.
  constexpr std::string_view kToken =
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      "eyJpZCI6NywiZW1haWwiOiJ6b1x1MDBlYkBleGFtcGxlLmNvbSIsImlzX2FkbWluIjpmYWxzZSwiZXhwIjo0MTAyNDQ0"
      "ODAwfQ.xXzXUCc7eA2E8ZM_gJeglAysATi_AVtifzkayjaO_mE";
  const auto claims = Codec().Verify(kToken, kNow);
  ASSERT_TRUE(claims.has_value()) << claims.error();
  EXPECT_EQ(*claims, (Claims{.id = 7, .email = "zoë@example.com", .exp = 4'102'444'800}));
}

TEST(TokenCodec, ReplacesSecretsStepByStep) {
  const TokenCodec old_codec({Secret(kOtherSecret)});
  const TokenCodec both({Secret(kSecret), Secret(kOtherSecret)});
  const Claims claims{.id = 1, .exp = 4'102'444'800};
  EXPECT_TRUE(both.Verify(old_codec.Sign(claims), kNow).has_value());
  EXPECT_TRUE(both.Verify(both.Sign(claims), kNow).has_value());
  EXPECT_TRUE(Codec().Verify(both.Sign(claims), kNow).has_value());
  EXPECT_FALSE(old_codec.Verify(both.Sign(claims), kNow).has_value());
}

TEST(TokenCodec, NeedsSecrets) {
  EXPECT_THROW(TokenCodec({}), std::invalid_argument);
  EXPECT_THROW(TokenCodec({Secret("")}), std::invalid_argument);
  EXPECT_THROW(TokenCodec({Secret(kSecret), Secret("")}), std::invalid_argument);
}

TEST(TokenCodec, SignsNoBrokenText) {
  EXPECT_THROW(Codec().Sign({.id = 1, .email = "\xFF", .exp = 1}), std::runtime_error);
}

TEST(TokenCodec, ExpiresAtTheSecond) {
  const std::string token = Token(kHeader, R"({"id":7,"exp":1800000000})");
  EXPECT_TRUE(Codec().Verify(token, kNow - std::chrono::nanoseconds(1)).has_value());
  EXPECT_EQ(Codec().Verify(token, kNow).error(), kSignatureHasExpired);
}

TEST(TokenCodec, RefusesEveryChangedCharacter) {
  const std::string token = Token(kHeader, kPayload);
  ASSERT_EQ(Reason(token), "valid");
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const char other : {'A', 'B', '.', '=', '\0', '\xFF'}) {
      if (token[i] == other) continue;
      std::string changed = token;
      changed[i] = other;
      EXPECT_NE(Reason(changed), "valid") << "at " << i;
    }
    EXPECT_NE(Reason(token.substr(0, i)), "valid") << "cut at " << i;
  }
  for (const char* end : {"A", ".", "=", " ", "\n"}) EXPECT_NE(Reason(token + end), "valid");
}

struct TokenCase {
  std::string_view label;
  std::string token;
  std::string_view reason;
};

void PrintTo(const TokenCase& row, std::ostream* out) { *out << row.label; }

class BadToken : public testing::TestWithParam<TokenCase> {};

TEST_P(BadToken, IsRefusedWithTheReason) { EXPECT_EQ(Reason(GetParam().token), GetParam().reason); }

std::string LabelOf(const testing::TestParamInfo<TokenCase>& row) {
  return std::string(row.param.label);
}

constexpr std::string_view kBadAlgorithm = "The specified alg value is not allowed";
constexpr std::string_view kBadSignature = "Signature verification failed";
constexpr std::string_view kNoObject = "Invalid payload string: must be a json object";
constexpr std::string_view kBadHeader = "Invalid header string: must be a json object";

INSTANTIATE_TEST_SUITE_P(
    Form, BadToken,
    testing::Values(
        TokenCase{"empty", "", "Not enough segments"},
        TokenCase{"one_segment", "abc", "Not enough segments"},
        TokenCase{"two_segments", "abc.def", "Not enough segments"},
        TokenCase{"dots", "..", kBadHeader},
        TokenCase{"four_segments", Token(kHeader, kPayload) + ".abcd", "Invalid payload padding"},
        TokenCase{"too_long", Token(kHeader, kPayload) + std::string(8192, 'A'),
                  "Token is too long"},
        TokenCase{"header_not_base64", "*." + EncodeBase64Url(kPayload) + ".abcd",
                  "Invalid header padding"},
        TokenCase{"header_of_one_digit", "a.b.c", "Invalid header padding"},
        TokenCase{"header_not_json",
                  WithSignature(EncodeBase64Url("{") + "." + EncodeBase64Url(kPayload)),
                  kBadHeader},
        TokenCase{"header_not_object", Token(R"("HS256")", kPayload), kBadHeader},
        TokenCase{"header_nested_deeply", Token(std::string(2000, '['), kPayload), kBadHeader},
        TokenCase{"payload_not_base64", EncodeBase64Url(kHeader) + ".*.abcd",
                  "Invalid payload padding"},
        TokenCase{"signature_not_base64",
                  EncodeBase64Url(kHeader) + "." + EncodeBase64Url(kPayload) + ".*",
                  "Invalid crypto padding"},
        TokenCase{"signature_padded", Token(kHeader, kPayload) + "=", "Invalid crypto padding"}),
    LabelOf);

INSTANTIATE_TEST_SUITE_P(
    Algorithm, BadToken,
    testing::Values(
        TokenCase{"none",
                  EncodeBase64Url(R"({"alg":"none","typ":"JWT"})") + "." +
                      EncodeBase64Url(kPayload) + ".",
                  kBadAlgorithm},
        TokenCase{"none_signed", Token(R"({"alg":"none"})", kPayload), kBadAlgorithm},
        TokenCase{"none_in_other_case", Token(R"({"alg":"NoNe"})", kPayload), kBadAlgorithm},
        TokenCase{"missing", Token(R"({"typ":"JWT"})", kPayload), kBadAlgorithm},
        TokenCase{"null", Token(R"({"alg":null})", kPayload), kBadAlgorithm},
        TokenCase{"list", Token(R"({"alg":["HS256"]})", kPayload), kBadAlgorithm},
        TokenCase{"empty", Token(R"({"alg":""})", kPayload), kBadAlgorithm},
        TokenCase{"lower_case", Token(R"({"alg":"hs256"})", kPayload), kBadAlgorithm},
        TokenCase{"with_nul", Token(R"({"alg":"HS256\u0000"})", kPayload), kBadAlgorithm},
        TokenCase{"rs256", Token(R"({"alg":"RS256"})", kPayload), kBadAlgorithm},
        TokenCase{"es256", Token(R"({"alg":"ES256"})", kPayload), kBadAlgorithm},
        TokenCase{"given_twice_none_last", Token(R"({"alg":"HS256","alg":"none"})", kPayload),
                  kBadAlgorithm},
        TokenCase{
            "hs384_rightly_signed",
            "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9."
            "eyJpZCI6NywiZW1haWwiOiJ6b1x1MDBlYkBleGFtcGxlLmNvbSIsImlzX2FkbWluIjpmYWxzZSwiZXhw"
            "Ijo0MTAyNDQ0ODAwfQ.F836Cqnx-An17GBz3YkGB2ATbNjzp-9dbP7mN9wPwG_Dll-g__hMgkVyk-aenl"
            "9n",
            kBadAlgorithm},
        TokenCase{"critical_extension", Token(R"({"alg":"HS256","crit":["x"],"x":1})", kPayload),
                  "Unsupported critical extension"}),
    LabelOf);

INSTANTIATE_TEST_SUITE_P(
    Signature, BadToken,
    testing::Values(
        TokenCase{"other_secret", Token(kHeader, kPayload, kOtherSecret), kBadSignature},
        TokenCase{"no_signature", EncodeBase64Url(kHeader) + "." + EncodeBase64Url(kPayload) + ".",
                  kBadSignature},
        // libjwt also reads the payload; one that it cannot read counts as not signed.
        TokenCase{"payload_not_json", Token(kHeader, "{"), kBadSignature},
        TokenCase{"payload_not_object", Token(kHeader, "[]"), kNoObject},
        TokenCase{"payload_nested_deeply",
                  Token(kHeader, R"({"x":)" + std::string(40, '[') + std::string(40, ']') + "}"),
                  kNoObject},
        TokenCase{"empty_secret", Token(kHeader, kPayload, ""), kBadSignature},
        TokenCase{"before_claims", Token(kHeader, R"({"exp":1})", kOtherSecret), kBadSignature}),
    LabelOf);

constexpr std::string_view kNoExp = "Token is missing the \"exp\" claim";
constexpr std::string_view kBadExp = "Expiration Time claim (exp) must be an integer.";
constexpr std::string_view kBadPayload = "Invalid payload";

INSTANTIATE_TEST_SUITE_P(
    Claims, BadToken,
    testing::Values(
        TokenCase{"none", Token(kHeader, "{}"), kNoExp},
        TokenCase{"exp_missing", Token(kHeader, R"({"id":7})"), kNoExp},
        TokenCase{"exp_null", Token(kHeader, R"({"id":7,"exp":null})"), kNoExp},
        TokenCase{"exp_text", Token(kHeader, R"({"id":7,"exp":"1900000000"})"), kBadExp},
        TokenCase{"exp_real", Token(kHeader, R"({"id":7,"exp":1900000000.0})"), kBadExp},
        TokenCase{"exp_true", Token(kHeader, R"({"id":7,"exp":true})"), kBadExp},
        TokenCase{"exp_past_int64", Token(kHeader, R"({"id":7,"exp":9223372036854775808})"),
                  kBadSignature},
        TokenCase{"exp_now", Token(kHeader, R"({"id":7,"exp":1800000000})"),
                  "Signature has expired"},
        TokenCase{"exp_past", Token(kHeader, R"({"id":7,"exp":1})"), "Signature has expired"},
        TokenCase{"exp_negative", Token(kHeader, R"({"id":7,"exp":-1900000000})"),
                  "Signature has expired"},
        TokenCase{"nbf_future", Token(kHeader, R"({"id":7,"exp":1900000000,"nbf":1800000001})"),
                  "The token is not yet valid (nbf)"},
        TokenCase{"nbf_text", Token(kHeader, R"({"id":7,"exp":1900000000,"nbf":"now"})"),
                  "Not Before claim (nbf) must be an integer."},
        TokenCase{"iat_future", Token(kHeader, R"({"id":7,"exp":1900000000,"iat":1800000001})"),
                  "The token is not yet valid (iat)"},
        TokenCase{"iat_text", Token(kHeader, R"({"id":7,"exp":1900000000,"iat":"now"})"),
                  "Issued At claim (iat) must be an integer."},
        TokenCase{"aud", Token(kHeader, R"({"id":7,"exp":1900000000,"aud":"others"})"),
                  "Invalid audience"},
        TokenCase{"id_missing", Token(kHeader, R"({"exp":1900000000})"), kBadPayload},
        TokenCase{"id_null", Token(kHeader, R"({"id":null,"exp":1900000000})"), kBadPayload},
        TokenCase{"id_text", Token(kHeader, R"({"id":"1","exp":1900000000})"), kBadPayload},
        TokenCase{"id_true", Token(kHeader, R"({"id":true,"exp":1900000000})"), kBadPayload},
        TokenCase{"id_real", Token(kHeader, R"({"id":1.0,"exp":1900000000})"), kBadPayload},
        TokenCase{"id_exponent", Token(kHeader, R"({"id":1e0,"exp":1900000000})"), kBadPayload},
        TokenCase{"id_list", Token(kHeader, R"({"id":[1],"exp":1900000000})"), kBadPayload},
        TokenCase{"id_past_int32", Token(kHeader, R"({"id":2147483648,"exp":1900000000})"),
                  kBadPayload},
        TokenCase{"id_below_int32", Token(kHeader, R"({"id":-2147483649,"exp":1900000000})"),
                  kBadPayload},
        TokenCase{"id_wraps_to_one", Token(kHeader, R"({"id":4294967297,"exp":1900000000})"),
                  kBadPayload},
        TokenCase{"id_past_int64",
                  Token(kHeader, R"({"id":18446744073709551617,"exp":1900000000})"), kBadSignature},
        TokenCase{"ver_text", Token(kHeader, R"({"id":7,"exp":1900000000,"ver":"1"})"),
                  kBadPayload},
        TokenCase{"ver_null", Token(kHeader, R"({"id":7,"exp":1900000000,"ver":null})"),
                  kBadPayload},
        TokenCase{"ver_real", Token(kHeader, R"({"id":7,"exp":1900000000,"ver":1.0})"),
                  kBadPayload}),
    LabelOf);

class GoodToken : public testing::TestWithParam<TokenCase> {};

TEST_P(GoodToken, IsAccepted) { EXPECT_EQ(Reason(GetParam().token), "valid"); }

INSTANTIATE_TEST_SUITE_P(
    , GoodToken,
    testing::Values(
        TokenCase{"all_claims", Token(kHeader, kPayload), ""},
        TokenCase{"only_id_and_exp", Token(kHeader, R"({"id":7,"exp":1900000000})"), ""},
        TokenCase{"no_typ", Token(R"({"alg":"HS256"})", kPayload), ""},
        TokenCase{"largest_id", Token(kHeader, R"({"id":2147483647,"exp":1900000000})"), ""},
        TokenCase{"untrusted_claims_of_other_types",
                  Token(kHeader, R"({"id":7,"exp":1900000000,"email":1,"is_admin":"yes"})"), ""},
        TokenCase{"iat_and_nbf_now",
                  Token(kHeader, R"({"id":7,"exp":1900000000,"iat":1800000000,"nbf":1800000000})"),
                  ""},
        TokenCase{"unknown_claims", Token(kHeader, R"({"id":7,"exp":1900000000,"x":{"y":[1]}})"),
                  ""},
        TokenCase{"largest_exp", Token(kHeader, R"({"id":7,"exp":9223372036854775807})"), ""}),
    LabelOf);

TEST(TokenCodec, NeverTellsWhatItWasGiven) {
  for (const std::string& token :
       {std::string("s3cret.s3cret.s3cret"), Token(kHeader, R"({"id":"s3cret","exp":1900000000})"),
        Token(R"({"alg":"s3cret"})", kPayload)}) {
    EXPECT_THAT(Reason(token), Not(HasSubstr("s3cret")));
  }
}

}  // namespace
}  // namespace platform::security
