#include "platform/http/client_connections.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace platform::http {
namespace {

TEST(ClientConnections, AreLimitedForEachClient) {
  ClientConnections connections(2);
  auto first = connections.Take("192.0.2.1");
  const auto second = connections.Take("192.0.2.1");
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(connections.Take("192.0.2.1"));
  EXPECT_TRUE(connections.Take("192.0.2.2"));
  first.reset();
  EXPECT_TRUE(connections.Take("192.0.2.1"));
}

TEST(ClientConnections, OfOneIpv6NetworkCountTogether) {
  ClientConnections connections(1);
  const auto slot = connections.Take("2001:db8::1");
  EXPECT_FALSE(connections.Take("2001:db8::2"));
  EXPECT_TRUE(connections.Take("2001:db8:0:1::1"));
}

// A customer may have a network of any of these sizes, so none of them grants more than its share.
TEST(ClientConnections, OfLargerIpv6NetworksCountTogetherToo) {
  ClientConnections connections(1);
  std::vector<ClientConnections::Slot> slots;
  const auto take = [&](const std::string& address) {
    auto slot = connections.Take(address);
    const bool taken = slot.has_value();
    if (taken) slots.push_back(*std::move(slot));
    return taken;
  };
  EXPECT_TRUE(take("2001:db8:1:1::1"));
  EXPECT_TRUE(take("2001:db8:1:2::1"));
  EXPECT_FALSE(take("2001:db8:1:3::1")) << "the third of a /56";
  EXPECT_TRUE(take("2001:db8:1:100::1"));
  EXPECT_TRUE(take("2001:db8:1:200::1"));
  EXPECT_FALSE(take("2001:db8:1:300::1")) << "the fifth of a /48";
  EXPECT_TRUE(take("2001:db8:2::1"));
  slots.clear();
  EXPECT_TRUE(take("2001:db8:1:300::1"));
}

TEST(ClientConnections, AMovedSlotCountsOnce) {
  ClientConnections connections(1);
  std::optional<ClientConnections::Slot> slot = connections.Take("192.0.2.1");
  {
    const ClientConnections::Slot moved = *std::move(slot);
    slot.reset();
    EXPECT_FALSE(connections.Take("192.0.2.1"));
  }
  EXPECT_TRUE(connections.Take("192.0.2.1"));
}

TEST(ClientConnections, AreCountedByManyThreads) {
  constexpr int kLimit = 3;
  ClientConnections connections(kLimit);
  std::atomic<int> open = 0;
  std::atomic<int> most = 0;
  {
    std::vector<std::jthread> threads(4);
    for (std::jthread& thread : threads) {
      thread = std::jthread([&] {
        for (int i = 0; i < 10'000; ++i) {
          const auto slot = connections.Take("192.0.2.1");
          if (!slot) continue;
          const int now = ++open;
          for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
          }
          --open;
        }
      });
    }
  }
  EXPECT_LE(most, kLimit);
  EXPECT_TRUE(connections.Take("192.0.2.1"));
}

}  // namespace
}  // namespace platform::http
