#include "platform/security/password.h"

#include <crypt.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include <array>
#include <chrono>
#include <ctime>
#include <ostream>

namespace platform::security {
namespace {

using testing::StartsWith;

constexpr Verification kMatches{.matches = true, .needs_rehash = false};
constexpr Verification kMatchesOutdated{.matches = true, .needs_rehash = true};
constexpr Verification kDiffers{};

TEST(HashPassword, MakesSaltedArgon2id) {
  const std::string hash = HashPassword("testPass123");
  EXPECT_THAT(hash, StartsWith("$argon2id$v=19$m=19456,t=2,p=1$"));
  EXPECT_NE(hash, HashPassword("testPass123"));
  EXPECT_EQ(VerifyPassword(hash, "testPass123"), kMatches);
  EXPECT_EQ(VerifyPassword(hash, "testPass124"), kDiffers);
  EXPECT_EQ(VerifyPassword(hash, ""), kDiffers);
}

TEST(HashPassword, TakesAnyBytes) {
  for (const std::string& password :
       {std::string(), std::string("a\0b", 3), std::string("Zoë €"), std::string(5000, 'x')}) {
    const std::string hash = HashPassword(password);
    EXPECT_EQ(VerifyPassword(hash, password), kMatches);
    EXPECT_EQ(VerifyPassword(hash, password + "x"), kDiffers);
  }
  EXPECT_EQ(VerifyPassword(HashPassword("a"), std::string_view("a\0b", 3)), kDiffers);
}

TEST(VerifyPassword, AsksForNewHashesWhereTheCostDiffers) {
  std::array<char, crypto_pwhash_STRBYTES> cheap{};
  ASSERT_EQ(crypto_pwhash_str_alg(cheap.data(), "testPass123", 11, crypto_pwhash_OPSLIMIT_MIN,
                                  crypto_pwhash_MEMLIMIT_MIN, crypto_pwhash_ALG_ARGON2ID13),
            0);
  EXPECT_EQ(VerifyPassword(cheap.data(), "testPass123"), kMatchesOutdated);
  EXPECT_EQ(VerifyPassword(cheap.data(), "testPass124"), kDiffers);
}

constexpr std::string_view kComposed = "Zo\u00eb's \u0439\u1ec7 \uac01";
constexpr std::string_view kDecomposed = "Zoe\u0308's \u0438\u0306e\u0302\u0323 \u1100\u1161\u11a8";

TEST(HashPassword, IsOfTheNfc) {
  for (const std::string_view password : {kComposed, kDecomposed}) {
    const std::string hash = HashPassword(password);
    EXPECT_EQ(VerifyPassword(hash, kComposed), kMatches);
    EXPECT_EQ(VerifyPassword(hash, kDecomposed), kMatches);
    EXPECT_EQ(VerifyPassword(hash, "Zoe's"), kDiffers);
  }
}

TEST(VerifyPassword, AcceptsAnOlderHashOfWhatWasTyped) {
  std::array<char, crypto_pwhash_STRBYTES> older{};
  ASSERT_EQ(crypto_pwhash_str_alg(older.data(), kDecomposed.data(), kDecomposed.size(), 2,
                                  std::size_t{19456} * 1024, crypto_pwhash_ALG_ARGON2ID13),
            0);
  for (const RefusalTime refusal : {RefusalTime::kOfItsHash, RefusalTime::kOfBothKinds}) {
    EXPECT_EQ(VerifyPassword(older.data(), kDecomposed, refusal), kMatchesOutdated);
    EXPECT_EQ(VerifyPassword(older.data(), std::string(kDecomposed) + "x", refusal), kDiffers);
  }
}

TEST(VerifyPassword, TheReferencesFormIsOfWhatWasTyped) {
  const std::string hash = HashPassword(kDecomposed, HashForm::kSha256Crypt);
  crypt_data work{};
  EXPECT_EQ(hash, crypt_r(std::string(kDecomposed).c_str(), hash.c_str(), &work));
  EXPECT_EQ(VerifyPassword(hash, kDecomposed), kMatchesOutdated);
  EXPECT_EQ(VerifyPassword(hash, kDecomposed, RefusalTime::kOfItsHash, HashForm::kSha256Crypt),
            kMatches);
}

// A hash from a database of the Python services.
class ReferenceHash : public testing::TestWithParam<const char*> {};

TEST_P(ReferenceHash, IsAcceptedAndToBeReplaced) {
  EXPECT_EQ(VerifyPassword(GetParam(), "testPass123"), kMatchesOutdated);
  EXPECT_EQ(VerifyPassword(GetParam(), "testPass124"), kDiffers);
}

INSTANTIATE_TEST_SUITE_P(
    , ReferenceHash,
    testing::Values(
        "$5$rounds=535000$ZyNumk0CX/piPWQj$dhprG6A4nC0NEIHkfPLiSD2TU/0DZmIc.KOwKgecZ7B",
        "$5$rounds=535000$79JXzvZ2pOGn4y86$72lejl3LnJ7fXCspW/j8br0Pzi9Dl6kT2PmtkJpa3T4",
        "$5$rounds=535000$zlQPOdKdAni6VGBh$s3JPkMMIj.GtLg7Y0Rv0WOrIuJNlsCQN13UKZvZWYF8",
        "$5$rounds=535000$aUnE9gDIdNUK4nVc$oe/o5z7kQDAm6cyR7xhdR/BzVpQXnkzmafVwxMDuzO9"));

TEST(Sha256Crypt, RefusesWhatCryptWouldCutShort) {
  crypt_data work{};
  const std::string hash = crypt_r("pass", "$5$rounds=1000$saltsalt", &work);
  EXPECT_EQ(VerifyPassword(hash, "pass"), kMatchesOutdated);
  EXPECT_EQ(VerifyPassword(hash, std::string_view("pass\0word", 9)), kDiffers);
  EXPECT_EQ(VerifyPassword(hash, ""), kDiffers);
}

TEST(Sha256Crypt, RefusesWhatWouldTakeLong) {
  crypt_data work{};
  const std::string longest(kMaxSha256CryptBytes, 'x');
  const std::string hash = crypt_r(longest.c_str(), "$5$rounds=1000$saltsalt", &work);
  EXPECT_EQ(VerifyPassword(hash, longest), kMatchesOutdated);
  const std::string too_long = longest + "x";
  const std::string hash_of_it = crypt_r(too_long.c_str(), "$5$rounds=1000$saltsalt", &work);
  EXPECT_EQ(VerifyPassword(hash_of_it, too_long), kDiffers);
}

// Returns processor time, which other processes on the machine do not affect.
std::chrono::duration<double> TimeToRefuse(const std::string& hash, const std::string& password,
                                           RefusalTime refusal) {
  const std::clock_t begun = std::clock();
  EXPECT_EQ(VerifyPassword(hash, password, refusal), kDiffers);
  return std::chrono::duration<double>(static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC);
}

TEST(RefusalTime, OfBothKindsDoesNotTellTheHash) {
  const std::string argon2id = HashPassword("testPass123");
  const std::string sha256_crypt =
      "$5$rounds=535000$ZyNumk0CX/piPWQj$dhprG6A4nC0NEIHkfPLiSD2TU/0DZmIc.KOwKgecZ7B";
  const std::string wrong = "testPass124";
  const auto one = TimeToRefuse(argon2id, wrong, RefusalTime::kOfItsHash);
  const auto other = TimeToRefuse(sha256_crypt, wrong, RefusalTime::kOfItsHash);
  const std::string too_long(kMaxSha256CryptBytes + 1, 'x');
  for (const std::string& hash : {argon2id, sha256_crypt, DummyHash(), std::string("!")}) {
    EXPECT_GE(TimeToRefuse(hash, wrong, RefusalTime::kOfBothKinds), 0.7 * (one + other)) << hash;
    const auto time = TimeToRefuse(hash, too_long, RefusalTime::kOfBothKinds);
    EXPECT_GE(time, 0.7 * one) << hash;
    EXPECT_LE(time, one + 0.5 * other) << hash;
  }
  EXPECT_EQ(VerifyPassword(argon2id, "testPass123", RefusalTime::kOfBothKinds), kMatches);
  EXPECT_EQ(VerifyPassword(sha256_crypt, "testPass123", RefusalTime::kOfBothKinds),
            kMatchesOutdated);
}

TEST(Sha256CryptForm, IsAsTheReferenceMakesIt) {
  const std::string hash = HashPassword("Пароль-🛒", HashForm::kSha256Crypt);
  EXPECT_THAT(hash,
              testing::MatchesRegex(R"(\$5\$rounds=535000\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{43})"));
  crypt_data work{};
  EXPECT_EQ(crypt_r("Пароль-🛒", hash.c_str(), &work), hash);
  EXPECT_NE(hash, HashPassword("Пароль-🛒", HashForm::kSha256Crypt));
}

TEST(Sha256CryptForm, IsKeptWhileItIsWanted) {
  const std::string hash = HashPassword("testPass123", HashForm::kSha256Crypt);
  constexpr auto kRefusal = RefusalTime::kOfItsHash;
  EXPECT_EQ(VerifyPassword(hash, "testPass123", kRefusal, HashForm::kSha256Crypt), kMatches);
  EXPECT_EQ(VerifyPassword(hash, "testPass124", kRefusal, HashForm::kSha256Crypt), kDiffers);
  EXPECT_EQ(VerifyPassword(hash, "testPass123", kRefusal, HashForm::kArgon2id), kMatchesOutdated);
  EXPECT_EQ(
      VerifyPassword(HashPassword("testPass123"), "testPass123", kRefusal, HashForm::kSha256Crypt),
      kMatchesOutdated);
}

TEST(Sha256CryptForm, IsNotForWhatItRefuses) {
  EXPECT_THAT(HashPassword(std::string(kMaxSha256CryptBytes, 'x'), HashForm::kSha256Crypt),
              StartsWith("$5$"));
  for (const std::string& password :
       {std::string(kMaxSha256CryptBytes + 1, 'x'), std::string("a\0b", 3)}) {
    const std::string hash = HashPassword(password, HashForm::kSha256Crypt);
    EXPECT_THAT(hash, StartsWith("$argon2id$"));
    EXPECT_EQ(VerifyPassword(hash, password, RefusalTime::kOfItsHash, HashForm::kSha256Crypt),
              kMatches);
  }
}

struct BadHashCase {
  const char* label;
  std::string hash;
};

void PrintTo(const BadHashCase& row, std::ostream* out) { *out << row.label; }

class BadHash : public testing::TestWithParam<BadHashCase> {};

TEST_P(BadHash, MatchesNothing) {
  for (const std::string& password : {std::string(), std::string("testPass123"), GetParam().hash}) {
    EXPECT_EQ(VerifyPassword(GetParam().hash, password), kDiffers);
  }
}

INSTANTIATE_TEST_SUITE_P(
    , BadHash,
    testing::Values(
        BadHashCase{"empty", ""}, BadHashCase{"plain_text", "testPass123"},
        BadHashCase{"crypt_failure_token", "*0"}, BadHashCase{"des", "aaQSqAReePlq6"},
        BadHashCase{"md5", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"},
        BadHashCase{"sha512", "$6$saltsalt$x"}, BadHashCase{"yescrypt", "$y$j9T$salt$hash"},
        BadHashCase{"argon2i", "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA"},
        BadHashCase{"argon2id_prefix", "$argon2id$"},
        BadHashCase{"argon2id_cut", "$argon2id$v=19$m=19456,t=2,p=1$37A4+s3JQRmh2XA9WV+yzw"},
        BadHashCase{"argon2id_no_cost", "$argon2id$v=19$m=0,t=0,p=0$37A4+s3JQRmh2XA9WV+yzw$DeYk"},
        BadHashCase{"argon2id_long", "$argon2id$" + std::string(5000, 'A')},
        BadHashCase{"argon2id_nul", DummyHash() + std::string(1, '\0')},
        BadHashCase{"sha256_prefix", "$5$"}, BadHashCase{"sha256_salt_only", "$5$saltsalt"},
        BadHashCase{"sha256_bad_rounds", "$5$rounds=x$saltsalt$hash"},
        BadHashCase{"sha256_bad_characters", "$5$rounds=1000$sa:lt\n$hash"},
        BadHashCase{"sha256_long", "$5$rounds=1000$" + std::string(5000, 'A')},
        BadHashCase{"sha256_wrong", "$5$rounds=1000$saltsalt$" + std::string(43, 'A')}),
    [](const auto& row) { return std::string(row.param.label); });

TEST(DummyHash, CostsAsMuchAsARealOneAndMatchesNothing) {
  EXPECT_EQ(VerifyPassword(DummyHash(), "testPass123"), kDiffers);
  EXPECT_EQ(VerifyPassword(DummyHash(), ""), kDiffers);
  const std::string real = HashPassword("testPass123");
  EXPECT_EQ(DummyHash().substr(0, DummyHash().rfind(',')), real.substr(0, real.rfind(',')));
  EXPECT_EQ(DummyHash().size(), real.size());
}

TEST(Wipe, ClearsTheWholeBuffer) {
  std::string text(100, 'x');
  const char* const buffer = text.data();
  const std::size_t capacity = text.capacity();
  text.resize(3);
  Wipe(text);
  EXPECT_TRUE(text.empty());
  ASSERT_EQ(text.data(), buffer);
  for (std::size_t i = 0; i < capacity; ++i) EXPECT_EQ(buffer[i], '\0');
}

}  // namespace
}  // namespace platform::security
