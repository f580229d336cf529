// Measures the steps from an Authorization header to the claims of its token.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "platform/security/authorization.h"
#include "platform/security/jwt.h"
#include "services/customers/src/auth/token_cache.h"

namespace {

using platform::security::Claims;
using platform::security::TokenCodec;

const TokenCodec& Codec() {
  static const TokenCodec codec({platform::Secret(std::string(64, 's'))});
  return codec;
}

Claims ClaimsOfAnHour() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return {.id = 4321, .email = "ada.lovelace@example.com", .exp = now + 3600};
}

void ParseAuthorizationHeader(benchmark::State& state) {
  const std::string header = "Bearer " + Codec().Sign(ClaimsOfAnHour());
  for (auto _ : state) benchmark::DoNotOptimize(platform::security::ParseAuthorization(header));
}
BENCHMARK(ParseAuthorizationHeader);

void VerifyToken(benchmark::State& state) {
  const std::string token = Codec().Sign(ClaimsOfAnHour());
  const auto now = std::chrono::system_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(Codec().Verify(token, now));
}
BENCHMARK(VerifyToken);

// The customers service does this for each query of the validation stream.
void VerifyTokenRemembered(benchmark::State& state) {
  customers::TokenCache cache(Codec());
  const std::string token = Codec().Sign(ClaimsOfAnHour());
  const auto now = std::chrono::system_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(cache.Verify(token, now));
}
BENCHMARK(VerifyTokenRemembered);

// The cache is full, and each token has been forgotten when it is used again.
void VerifyTokenForgotten(benchmark::State& state) {
  constexpr std::size_t kCapacity = 1024;
  customers::TokenCache cache(Codec(), kCapacity);
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i <= kCapacity; ++i) {
    Claims claims = ClaimsOfAnHour();
    claims.id = static_cast<std::int32_t>(i + 1);
    tokens.push_back(Codec().Sign(claims));
  }
  const auto now = std::chrono::system_clock::now();
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.Verify(tokens[next++ % tokens.size()], now));
  }
}
BENCHMARK(VerifyTokenForgotten);

void SignToken(benchmark::State& state) {
  const Claims claims = ClaimsOfAnHour();
  for (auto _ : state) benchmark::DoNotOptimize(Codec().Sign(claims));
}
BENCHMARK(SignToken);

}  // namespace
