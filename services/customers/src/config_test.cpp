#include "services/customers/src/config.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace customers {
namespace {

using namespace std::chrono_literals;

TEST(Config, HasDefaults) {
  platform::config::Environment environment(platform::config::Environment::Variables{});
  const Config config = ReadConfig(environment);
  EXPECT_EQ(config.throttle.per_account, 10);
  EXPECT_EQ(config.throttle.per_address, 100);
  EXPECT_EQ(config.throttle.window, 900s);
  EXPECT_EQ(config.password_min_length, 7);
  EXPECT_EQ(config.token_lifetime, std::chrono::days(14));
  EXPECT_EQ(config.grpc_address, "127.0.0.1");
  EXPECT_EQ(config.grpc_port, 50051);
  EXPECT_EQ(config.grpc_clients, std::vector<std::string>{"cart"});
  EXPECT_FALSE(config.legacy_api);
  EXPECT_EQ(config.hash_form, platform::security::HashForm::kArgon2id);
}

TEST(Config, ReadsTheFormOfHashes) {
  platform::config::Environment environment({{"REPLACE_REFERENCE_HASHES", "false"}});
  EXPECT_EQ(ReadConfig(environment).hash_form, platform::security::HashForm::kSha256Crypt);
}

TEST(Config, ReadsTheNamesOfGrpcClients) {
  platform::config::Environment environment({{"GRPC_CLIENTS", "cart, orders"}});
  EXPECT_EQ(ReadConfig(environment).grpc_clients, (std::vector<std::string>{"cart", "orders"}));
}

TEST(Config, ReadsTheThrottlesLimits) {
  platform::config::Environment environment({{"LOGIN_FAILURES_PER_ACCOUNT", "1"},
                                             {"LOGIN_FAILURES_PER_ADDRESS", "2"},
                                             {"LOGIN_FAILURE_WINDOW", "3"}});
  const Config config = ReadConfig(environment);
  EXPECT_EQ(config.throttle.per_account, 1);
  EXPECT_EQ(config.throttle.per_address, 2);
  EXPECT_EQ(config.throttle.window, 3s);
}

}  // namespace
}  // namespace customers
