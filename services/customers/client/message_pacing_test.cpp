#include "services/customers/client/message_pacing.h"

#include <gtest/gtest.h>

namespace customers::client {
namespace {

using namespace std::chrono_literals;

constexpr auto kInterval = 500us;
constexpr auto kUnansweredInterval = 10ms;
constexpr MessagePacing::Clock::time_point kNow{1h};

class MessagePacingTest : public ::testing::Test {
 protected:
  // Sends the planned message.
  void Send(MessagePacing::Clock::time_point now) {
    pacing_.ClearPlan();
    pacing_.OnSent(now);
  }

  MessagePacing pacing_{kInterval, kUnansweredInterval};
};

TEST_F(MessagePacingTest, TheFirstMessageIsDueAtOnce) { EXPECT_LE(pacing_.Plan(false), kNow); }

TEST_F(MessagePacingTest, AMessageIsPlannedOnce) {
  EXPECT_TRUE(pacing_.Plan(false));
  EXPECT_FALSE(pacing_.Plan(false));
  Send(kNow);
  EXPECT_TRUE(pacing_.Plan(false));
}

TEST_F(MessagePacingTest, TheNextMessageWaitsForTheInterval) {
  Send(kNow);
  EXPECT_EQ(pacing_.Plan(false), kNow + kInterval);
}

TEST_F(MessagePacingTest, TheNextMessageWaitsLongerForVerdicts) {
  Send(kNow);
  EXPECT_EQ(pacing_.Plan(true), kNow + kUnansweredInterval);
}

TEST_F(MessagePacingTest, OnceAnsweredTheNextMessageIsDueEarlier) {
  Send(kNow);
  EXPECT_EQ(pacing_.Plan(true), kNow + kUnansweredInterval);
  EXPECT_EQ(pacing_.Plan(false), kNow + kInterval);
  // An earlier plan is kept.
  EXPECT_FALSE(pacing_.Plan(true));
}

TEST_F(MessagePacingTest, AfterAnIntervalWithoutMessagesTheNextIsDueAtOnce) {
  Send(kNow - kInterval);
  EXPECT_EQ(pacing_.Plan(false), kNow);
}

TEST_F(MessagePacingTest, APlanWithNothingToSendDelaysNoMessage) {
  Send(kNow - 1s);
  EXPECT_TRUE(pacing_.Plan(false));
  pacing_.ClearPlan();
  EXPECT_LE(pacing_.Plan(false), kNow);
}

}  // namespace
}  // namespace customers::client
