#include "platform/security/jwt.h"

#include <jwt.h>
#include <sodium.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>

#include "platform/security/base64.h"

namespace platform::security {
namespace {

namespace json = boost::json;

using JwtPointer = std::unique_ptr<jwt_t, decltype(&jwt_free)>;
using Refused = std::unexpected<std::string>;

// Returns nothing if the text is not a JSON object.
std::optional<json::object> ParseObject(std::string_view text) {
  json::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

// Accepts JSON integers only, not 1.0, "1" or true.
std::optional<std::int64_t> AsInteger(const json::value& value) {
  if (!value.is_int64()) return std::nullopt;
  return value.get_int64();
}

std::optional<std::int32_t> AsInt32(const json::value& value) {
  const auto number = AsInteger(value);
  if (!number || *number < std::numeric_limits<std::int32_t>::min() ||
      *number > std::numeric_limits<std::int32_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::int32_t>(*number);
}

// libjwt checks the signature in constant time. It must never get an empty key, because it takes
// that as "do not check". It also reads the payload; a payload that it cannot read counts as not
// signed.
bool IsSignedWith(const Secret& secret, const std::string& token) {
  const std::string& key = secret.Reveal();
  jwt_t* decoded = nullptr;
  const int failed =
      jwt_decode(&decoded, token.c_str(), reinterpret_cast<const unsigned char*>(key.data()),
                 static_cast<int>(key.size()));
  const JwtPointer jwt(decoded, &jwt_free);
  return failed == 0 && jwt != nullptr && jwt_get_alg(jwt.get()) == JWT_ALG_HS256;
}

std::expected<Claims, std::string> ReadClaims(const json::object& payload, std::int64_t now) {
  Claims claims;

  // Times.
  const json::value* exp = payload.if_contains("exp");
  if (exp == nullptr || exp->is_null()) return Refused(R"(Token is missing the "exp" claim)");
  if (const json::value* iat = payload.if_contains("iat")) {
    const auto seconds = AsInteger(*iat);
    if (!seconds) return Refused("Issued At claim (iat) must be an integer.");
    if (*seconds > now) return Refused("The token is not yet valid (iat)");
  }
  if (const json::value* nbf = payload.if_contains("nbf")) {
    const auto seconds = AsInteger(*nbf);
    if (!seconds) return Refused("Not Before claim (nbf) must be an integer.");
    if (*seconds > now) return Refused("The token is not yet valid (nbf)");
  }
  const auto exp_seconds = AsInteger(*exp);
  if (!exp_seconds) return Refused("Expiration Time claim (exp) must be an integer.");
  if (*exp_seconds <= now) return Refused(kSignatureHasExpired);
  claims.exp = *exp_seconds;

  // Our tokens have no audience, so a token with one is meant for another system.
  if (const json::value* aud = payload.if_contains("aud"); aud != nullptr && !aud->is_null()) {
    return Refused("Invalid audience");
  }

  // The user and the token's version.
  const json::value* id = payload.if_contains("id");
  const auto id_number = id == nullptr ? std::nullopt : AsInt32(*id);
  if (!id_number) return Refused("Invalid payload");
  claims.id = *id_number;
  if (const json::value* version = payload.if_contains("ver")) {
    const auto number = AsInt32(*version);
    if (!number) return Refused("Invalid payload");
    claims.version = *number;
  }
  if (const json::value* session = payload.if_contains("sid")) {
    const auto number = AsInt32(*session);
    if (!number || *number <= 0) return Refused("Invalid payload");
    claims.session = *number;
  }

  // Claims that are only informative.
  if (const json::value* email = payload.if_contains("email"); email && email->is_string()) {
    claims.email = std::string(email->get_string());
  }
  if (const json::value* is_admin = payload.if_contains("is_admin")) {
    claims.is_admin = is_admin->is_bool() && is_admin->get_bool();
  }
  return claims;
}

}  // namespace

TokenCodec::TokenCodec(std::vector<Secret> secrets) : secrets_(std::move(secrets)) {
  if (secrets_.empty() || std::ranges::any_of(secrets_, &Secret::empty)) {
    throw std::invalid_argument("TokenCodec needs secrets that are not empty");
  }
}

std::string TokenCodec::Sign(const Claims& claims) const {
  jwt_t* created = nullptr;
  if (jwt_new(&created) != 0) throw std::bad_alloc();
  const JwtPointer jwt(created, &jwt_free);

  json::object payload{{"id", claims.id},
                       {"email", claims.email},
                       {"is_admin", claims.is_admin},
                       {"exp", claims.exp},
                       {"ver", claims.version}};
  if (claims.session != 0) payload["sid"] = claims.session;
  const std::string text = json::serialize(payload);
  const std::string& key = secrets_.front().Reveal();
  if (jwt_add_grants_json(jwt.get(), text.c_str()) != 0 ||
      jwt_set_alg(jwt.get(), JWT_ALG_HS256, reinterpret_cast<const unsigned char*>(key.data()),
                  static_cast<int>(key.size())) != 0) {
    throw std::runtime_error("a token's claims cannot be encoded");
  }
  const std::unique_ptr<char, decltype(&std::free)> token(jwt_encode_str(jwt.get()), &std::free);
  if (token == nullptr) throw std::runtime_error("a token cannot be signed");
  return token.get();
}

std::expected<Claims, std::string> TokenCodec::Verify(
    std::string_view token, std::chrono::system_clock::time_point now) const {
  // Form: three segments in base64url, of which the first is a JSON object.
  if (token.size() > kMaxTokenBytes) return Refused("Token is too long");
  const std::size_t first_dot = token.find('.');
  const std::size_t last_dot = token.rfind('.');
  if (first_dot == last_dot) return Refused("Not enough segments");
  const std::string_view payload_segment = token.substr(first_dot + 1, last_dot - first_dot - 1);
  const auto header_text = DecodeBase64Url(token.substr(0, first_dot));
  if (!header_text) return Refused("Invalid header padding");
  const auto header = ParseObject(*header_text);
  if (!header) return Refused("Invalid header string: must be a json object");
  const auto payload_text = DecodeBase64Url(payload_segment);
  if (!payload_text) return Refused("Invalid payload padding");
  if (!DecodeBase64Url(token.substr(last_dot + 1))) return Refused("Invalid crypto padding");

  // Algorithm: compared exactly, before any key is used.
  const json::value* algorithm = header->if_contains("alg");
  if (algorithm == nullptr || !algorithm->is_string() || algorithm->get_string() != "HS256") {
    return Refused("The specified alg value is not allowed");
  }
  if (header->contains("crit")) return Refused("Unsupported critical extension");

  // Signature.
  const std::string terminated(token);
  if (std::ranges::none_of(
          secrets_, [&](const Secret& secret) { return IsSignedWith(secret, terminated); })) {
    return Refused("Signature verification failed");
  }

  // Claims.
  const auto payload = ParseObject(*payload_text);
  if (!payload) return Refused("Invalid payload string: must be a json object");
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  return ReadClaims(*payload, seconds);
}

}  // namespace platform::security
