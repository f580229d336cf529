// From an Authorization header to the claims of its token.

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>

#include "platform/security/authorization.h"
#include "platform/security/jwt.h"

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

void SignToken(benchmark::State& state) {
  const Claims claims = ClaimsOfAnHour();
  for (auto _ : state) benchmark::DoNotOptimize(Codec().Sign(claims));
}
BENCHMARK(SignToken);

}  // namespace
