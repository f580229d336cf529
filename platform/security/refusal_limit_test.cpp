#include "platform/security/refusal_limit.h"

#include <gtest/gtest.h>

namespace platform::security {
namespace {

using namespace std::chrono_literals;
using Networks = std::vector<ClientNetwork>;

constexpr RefusalLimit::Clock::time_point kStart{};

TEST(RefusalLimit, HoldsUntilTheWindowEnds) {
  RefusalLimit limit(3, 60s);
  const Networks client{{.name = "192.0.2.1"}};
  EXPECT_FALSE(limit.Count(client, kStart));
  EXPECT_FALSE(limit.Count(client, kStart + 10s));
  EXPECT_EQ(limit.Wait(client, kStart + 10s), std::nullopt);
  EXPECT_TRUE(limit.Count(client, kStart + 20s));
  EXPECT_FALSE(limit.Count(client, kStart + 20s)) << "reached before";
  EXPECT_EQ(limit.Wait(client, kStart + 20s), 40s);
  EXPECT_EQ(limit.Wait(client, kStart + 59s + 1ms), 1s);
  EXPECT_EQ(limit.Wait(client, kStart + 60s), std::nullopt);
  EXPECT_EQ(limit.Wait({{.name = "192.0.2.2"}}, kStart + 20s), std::nullopt);
  // The next window begins with its first refusal.
  EXPECT_FALSE(limit.Count(client, kStart + 100s));
  EXPECT_EQ(limit.Wait(client, kStart + 100s), std::nullopt);
}

TEST(RefusalLimit, LargerNetworksCountByTheirShare) {
  RefusalLimit limit(2, 60s);
  const auto client = [](int number) {
    return Networks{{.name = "/64 " + std::to_string(number), .share = 1},
                    {.name = "/48", .share = 4}};
  };
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(limit.Count(client(i), kStart)) << i;
  EXPECT_EQ(limit.Wait(client(8), kStart), std::nullopt);
  EXPECT_TRUE(limit.Count(client(8), kStart));
  EXPECT_EQ(limit.Wait(client(9), kStart), 60s);
}

TEST(RefusalLimit, ForgetsTheOldestOfTooManyNetworks) {
  RefusalLimit limit(1, 60s, 2);
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(limit.Count({{.name = name}}, kStart));
  EXPECT_EQ(limit.Wait({{.name = "a"}}, kStart), std::nullopt);
  EXPECT_EQ(limit.Wait({{.name = "b"}}, kStart), 60s);
  EXPECT_EQ(limit.Wait({{.name = "c"}}, kStart), 60s);
}

}  // namespace
}  // namespace platform::security
