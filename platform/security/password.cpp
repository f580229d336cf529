#include "platform/security/password.h"

#include <crypt.h>
#include <sodium.h>

#include <array>
#include <memory>
#include <new>

#include "platform/schema/text.h"
#include "platform/security/sodium.h"

namespace platform::security {
namespace {

constexpr unsigned long long kPasses = 2;
constexpr std::size_t kMemoryBytes = std::size_t{19456} * 1024;

bool MatchesArgon2id(const std::string& hash, std::string_view password) {
  InitializeSodium();
  return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

// Returns whether a "$5$" hash can be of this password. crypt stops at a NUL.
bool FitsSha256Crypt(std::string_view password) {
  return password.size() <= kMaxSha256CryptBytes && !password.contains('\0');
}

// Returns the "$5$" hash of a password that fits, with the salt and the rounds of `setting`, or an
// empty text if `setting` is malformed.
std::string Sha256Crypt(std::string_view password, const std::string& setting) {
  // crypt_r needs a terminated password and about 32 KiB of working memory.
  std::string terminated(password);
  const auto work = std::make_unique<crypt_data>();
  const char* made = crypt_r(terminated.c_str(), setting.c_str(), work.get());
  std::string hash = made == nullptr ? "" : made;
  Wipe(terminated);
  sodium_memzero(work.get(), sizeof(crypt_data));
  return hash;
}

bool MatchesSha256Crypt(const std::string& hash, std::string_view password) {
  if (!FitsSha256Crypt(password)) return false;
  const std::string made = Sha256Crypt(password, hash);
  return made.size() == hash.size() && sodium_memcmp(made.data(), hash.data(), hash.size()) == 0;
}

// Returns "$5$rounds=535000$" and a new salt.
std::string MakeSha256CryptSetting() {
  static constexpr std::string_view kSaltCharacters =
      "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr std::size_t kSaltLength = 16;
  InitializeSodium();
  std::string setting = "$5$rounds=535000$";
  for (std::size_t i = 0; i < kSaltLength; ++i) {
    setting += kSaltCharacters[randombytes_uniform(kSaltCharacters.size())];
  }
  return setting;
}

std::string MakeArgon2id(std::string_view password) {
  InitializeSodium();
  std::array<char, crypto_pwhash_STRBYTES> hash{};
  if (crypto_pwhash_str_alg(hash.data(), password.data(), password.size(), kPasses, kMemoryBytes,
                            crypto_pwhash_ALG_ARGON2ID13) != 0) {
    throw std::bad_alloc();
  }
  return hash.data();
}

bool IsArgon2id(const std::string& hash) {
  return hash.starts_with("$argon2id$") && hash.size() < crypto_pwhash_STRBYTES;
}

bool IsSha256Crypt(const std::string& hash) { return hash.starts_with("$5$"); }

HashForm FormFor(std::string_view password, HashForm wanted) {
  return FitsSha256Crypt(password) ? wanted : HashForm::kArgon2id;
}

Verification VerifyAtOnce(const std::string& hash, std::string_view password, HashForm form) {
  if (hash.contains('\0')) return {};
  if (IsArgon2id(hash)) {
    if (!MatchesArgon2id(hash, password)) return {};
    const bool is_outdated =
        crypto_pwhash_str_needs_rehash(hash.c_str(), kPasses, kMemoryBytes) != 0;
    return {.matches = true,
            .needs_rehash = is_outdated || FormFor(password, form) != HashForm::kArgon2id};
  }
  if (IsSha256Crypt(hash)) {
    const bool matches = MatchesSha256Crypt(hash, password);
    return {.matches = matches, .needs_rehash = matches && form != HashForm::kSha256Crypt};
  }
  return {};
}

// A password in NFC, which is wiped after use.
class NormalizedPassword {
 public:
  explicit NormalizedPassword(std::string_view password) : text_(schema::ToNfc(password)) {}
  ~NormalizedPassword() { Wipe(text_); }
  NormalizedPassword(const NormalizedPassword&) = delete;
  NormalizedPassword& operator=(const NormalizedPassword&) = delete;

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Made from 32 random bytes that were thrown away, like DummyHash().
constexpr const char* kDummySha256Crypt =
    "$5$rounds=535000$fML7XHOKV3l83RPK$SRuK3MCBUkycawaCROjcsgPWHDHrr54uedugcGpnDAD";

Verification VerifySpelling(const std::string& hash, std::string_view password, RefusalTime refusal,
                            HashForm form) {
  // Argon2id always comes first, because the order affects the time too.
  const bool as_both = refusal == RefusalTime::kOfBothKinds;
  if (as_both && !IsArgon2id(hash)) MatchesArgon2id(DummyHash(), password);
  const Verification verified = VerifyAtOnce(hash, password, form);
  if (as_both && !verified.matches && !IsSha256Crypt(hash)) {
    MatchesSha256Crypt(kDummySha256Crypt, password);
  }
  return verified;
}

}  // namespace

std::string HashPassword(std::string_view password, HashForm form) {
  if (FormFor(password, form) == HashForm::kArgon2id) {
    return MakeArgon2id(NormalizedPassword(password).text());
  }
  std::string hash = Sha256Crypt(password, MakeSha256CryptSetting());
  if (hash.empty()) throw std::bad_alloc();
  return hash;
}

Verification VerifyPassword(const std::string& hash, std::string_view password, RefusalTime refusal,
                            HashForm form) {
  const NormalizedPassword normalized(password);
  Verification verified = VerifySpelling(hash, normalized.text(), refusal, form);
  if (verified.matches || normalized.text() == password) return verified;
  verified = VerifySpelling(hash, password, refusal, form);
  if (verified.matches && form == HashForm::kArgon2id) verified.needs_rehash = true;
  return verified;
}

const std::string& DummyHash() {
  // Made from 32 random bytes that were thrown away.
  static const std::string hash =
      "$argon2id$v=19$m=19456,t=2,p=1$37A4+s3JQRmh2XA9WV+yzw$DeYkRu37ARb06JMVpYmDeiSPpib88p1NmxHy/"
      "JHfjw4";
  return hash;
}

void Wipe(std::string& text) {
  text.resize(text.capacity());
  sodium_memzero(text.data(), text.size());
  text.clear();
}

}  // namespace platform::security
