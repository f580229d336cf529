#include "platform/security/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>

namespace platform::security {
namespace {

TEST(RandomHex, HasTwoDigitsPerByte) {
  EXPECT_EQ(RandomHex(0), "");
  EXPECT_THAT(RandomHex(1), testing::MatchesRegex("[0-9a-f][0-9a-f]"));
  EXPECT_EQ(RandomHex(16).size(), 32U);
  EXPECT_EQ(RandomHex(1000).find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(RandomHex, DoesNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(RandomHex(16));
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(RandomHex, IsDrawnAnewWhenTheReserveIsUsedUp) {
  std::set<std::string> seen;
  std::string digits(1000, ' ');
  for (int i = 0; i < 100; ++i) {
    FillRandomHex(digits);
    EXPECT_EQ(digits.find_first_not_of("0123456789abcdef"), std::string::npos);
    seen.insert(digits);
  }
  EXPECT_EQ(seen.size(), 100U);
}

TEST(RandomHex, DoesNotRepeatOnOtherThreads) {
  std::string first;
  std::string second;
  std::thread([&] { first = RandomHex(16); }).join();
  std::thread([&] { second = RandomHex(16); }).join();
  EXPECT_NE(first, second);
  EXPECT_NE(RandomHex(16), first);
}

}  // namespace
}  // namespace platform::security
