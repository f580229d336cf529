#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/proxy.h"
#include "services/customers/client/token_validator.h"
#include "tests/validation/customers.h"

namespace validation_test {
namespace {

using customers::client::Caller;
using customers::client::TokenValidator;
using customers::client::TokenValidatorOptions;
using customers::client::ValidationMetrics;
using platform::ErrorCode;
using platform::Task;
using namespace std::chrono_literals;
namespace asio = boost::asio;

// An authorization, and the verdict that it must get.
struct Case {
  std::string authorization;
  std::optional<Caller> caller;
  std::string reason;  // Set if the token is refused.
};

// Returns every user's token. One in ten cases is invalid, in one of nine ways.
std::vector<Case> MakeCases(const platform::security::TokenCodec& tokens) {
  const platform::security::TokenCodec stranger({platform::Secret(std::string(32, 'o'))});
  const auto sign = [&](const auto& codec, int id, std::int32_t version, std::int64_t exp,
                        std::int32_t session = 0) {
    return "Bearer " + codec.Sign({.id = id,
                                   .email = "claimed@example.com",
                                   .is_admin = true,
                                   .exp = exp,
                                   .version = version,
                                   .session = session});
  };
  constexpr std::int64_t kLater = 4'000'000'000;
  std::vector<Case> cases;
  for (int id = 1; id <= Customers::kUsers; ++id) {
    // Every other user has a token with a session.
    const std::string valid =
        id % 2 == 0 ? sign(tokens, id, -1, kLater, 1) : sign(tokens, id, id % 3, kLater);
    if (id % 10 != 0) {
      cases.push_back({.authorization = valid,
                       .caller = Caller{.id = id,
                                        .email = Customers::EmailOf(id),
                                        .is_admin = Customers::IsAdmin(id)},
                       .reason = {}});
      continue;
    }
    const std::string prefix = "Invalid authorization token, ";
    const std::array<Case, 9> invalid{{
        {sign(tokens, id, id % 3 + 1, kLater), {}, "Token is revoked"},
        {sign(tokens, id, id % 3, kLater, 2), {}, "Token is revoked"},
        {sign(tokens, id + Customers::kUsers, 0, kLater), {}, "Token is revoked"},
        {sign(tokens, id, id % 3, 1'000'000'000), {}, prefix + "Signature has expired"},
        {sign(stranger, id, id % 3, kLater), {}, prefix + "Signature verification failed"},
        {valid + " more", {}, "Invalid JWT token"},
        {"Basic " + valid.substr(7), {}, "Invalid token scheme"},
        {"Bearer nonsense", {}, prefix + "Not enough segments"},
        {"\xe9", {}, "Invalid JWT token"},
    }};
    cases.push_back(invalid.at(static_cast<std::size_t>(id / 10) % invalid.size()));
  }
  return cases;
}

struct Counts {
  std::atomic<int> right = 0;
  std::atomic<int> unavailable = 0;
  std::atomic<int> wrong = 0;
};

bool IsRight(const Case& expected, const platform::Result<Caller>& verdict) {
  if (verdict) return expected.caller == *verdict;
  return !expected.caller && verdict.error().code == ErrorCode::kPermissionDenied &&
         verdict.error().reason == expected.reason;
}

// Validates one token after another until this many verdicts were right.
Task<void> ValidateMany(TokenValidator& validator, const std::vector<Case>& cases, unsigned seed,
                        int enough, Counts& counts) {
  std::minstd_rand random(seed);
  asio::steady_timer pause(co_await asio::this_coro::executor);
  while (counts.right < enough) {
    const Case& expected = cases[random() % cases.size()];
    const auto verdict = co_await validator.Validate(expected.authorization, {});
    if (IsRight(expected, verdict)) {
      ++counts.right;
    } else if (!verdict && verdict.error().code == ErrorCode::kUnavailable) {
      ++counts.unavailable;
      pause.expires_after(10ms);
      co_await pause.async_wait(asio::use_awaitable);
    } else {
      ++counts.wrong;
      ADD_FAILURE() << expected.authorization << ": "
                    << (verdict ? verdict->email : verdict.error().reason);
    }
  }
}

// No verdict ever reaches another request, even when streams break. The server
// implements nothing but the stream here, so every right verdict came over it.
TEST(Validation, EachGetsTheVerdictOnItsOwnToken) {
  constexpr int kEnough = 200'000;
  constexpr int kBreaks = 20;
  constexpr unsigned kAtOnce = 200;
  const platform::grpc::testing::Authority authority;
  const platform::grpc::testing::TlsDirectory files(authority.certificate(), authority.Issue());
  Customers customers(files.files());
  platform::grpc::testing::Proxy proxy(customers.port());
  const std::vector<Case> cases = MakeCases(customers.tokens());

  std::array<Worker, 2> workers;
  std::array<std::unique_ptr<TokenValidator>, 2> validators;
  Counts counts;
  std::vector<std::future<void>> done;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    workers.at(i).Run([&] {
      validators.at(i) = std::make_unique<TokenValidator>(
          workers.at(i).io().get_executor(),
          TokenValidatorOptions{.replicas = {{"localhost", proxy.port()}}, .tls = files.files()});
    });
    for (unsigned n = 0; n < kAtOnce; ++n) {
      done.push_back(asio::co_spawn(
          workers.at(i).io(),
          ValidateMany(*validators.at(i), cases, n * 2 + static_cast<unsigned>(i), kEnough, counts),
          asio::use_future));
    }
  }

  // This happens while all workers validate.
  for (int broken = 1; broken <= kBreaks; ++broken) {
    while (counts.right < kEnough / (kBreaks + 1) * broken) std::this_thread::sleep_for(1ms);
    if (broken % 5 == 0) {
      customers.Restart();
    } else {
      proxy.BreakConnections();
    }
  }
  for (auto& one : done) one.get();
  double batched = 0;
  double batches = 0;
  std::uint64_t repeated = 0;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const ValidationMetrics& metrics = validators.at(i)->metrics();
    batched += metrics.batch_sizes.Sum();
    batches += static_cast<double>(metrics.batch_sizes.Count());
    repeated += metrics.repeated.value();
    workers.at(i).Run([&] { validators.at(i).reset(); });
  }

  const double mean_batch = batched / batches;
  RecordProperty("unavailable", counts.unavailable);
  RecordProperty("repeated", std::to_string(repeated));
  RecordProperty("mean_batch", std::to_string(mean_batch));
  EXPECT_EQ(counts.wrong, 0);
  EXPECT_GE(counts.right, kEnough);
  // Most validations shared a message, and the breaks affected some that waited.
  EXPECT_GT(mean_batch, 4);
  EXPECT_GT(repeated, 0U);
}

}  // namespace
}  // namespace validation_test
