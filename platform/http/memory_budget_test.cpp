#include "platform/http/memory_budget.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace platform::http {
namespace {

TEST(MemoryBudget, IsShared) {
  MemoryBudget budget(100);
  MemoryBudget::Share first(&budget);
  {
    MemoryBudget::Share second(&budget);
    EXPECT_TRUE(first.Resize(60));
    EXPECT_FALSE(second.Resize(41));
    EXPECT_EQ(second.bytes(), 0U);
    EXPECT_TRUE(second.Resize(40));
    EXPECT_FALSE(first.Resize(61));
    EXPECT_EQ(first.bytes(), 60U);
    EXPECT_EQ(budget.failures(), 2U);
    EXPECT_TRUE(first.Resize(10));
    EXPECT_EQ(budget.used(), 50U);
  }
  EXPECT_EQ(budget.used(), 10U);
  EXPECT_TRUE(first.Resize(100));
}

TEST(MemoryBudget, SufficesForOneThatIsAlone) {
  MemoryBudget budget(100);
  MemoryBudget::Share large(&budget);
  EXPECT_TRUE(large.Resize(1000));
  MemoryBudget::Share other(&budget);
  EXPECT_FALSE(other.Resize(1));
  EXPECT_TRUE(large.Resize(50));
  EXPECT_TRUE(other.Resize(1));
  EXPECT_FALSE(large.Resize(1000));
}

TEST(MemoryBudget, MayBeMissing) {
  MemoryBudget::Share share(nullptr);
  EXPECT_TRUE(share.Resize(1'000'000'000));
}

TEST(MemoryBudget, IsExactWithManyThreads) {
  MemoryBudget budget(1000);
  {
    std::vector<std::jthread> threads(4);
    for (std::jthread& thread : threads) {
      thread = std::jthread([&budget] {
        for (int i = 0; i < 10'000; ++i) {
          MemoryBudget::Share share(&budget);
          share.Resize(400);
          share.Resize(300);
        }
      });
    }
  }
  EXPECT_EQ(budget.used(), 0U);
}

}  // namespace
}  // namespace platform::http
