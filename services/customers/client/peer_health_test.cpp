#include "services/customers/client/peer_health.h"

#include <gtest/gtest.h>

namespace customers::client {
namespace {

using namespace std::chrono_literals;

constexpr auto kPause = 100ms;
constexpr auto kMaxSilence = 2s;
constexpr PeerHealth::Clock::time_point kNow{1h};

class PeerHealthTest : public ::testing::Test {
 protected:
  // Opens a stream and loses it before it has brought a verdict.
  PeerHealth::Loss Fail() {
    health_.OnOpened();
    const PeerHealth::Loss loss = health_.OnLost();
    health_.OnBackOffEnded();
    return loss;
  }

  PeerHealth health_{kPause, kMaxSilence};
};

TEST_F(PeerHealthTest, AwayAfterTwoStreamsWithoutAVerdict) {
  EXPECT_FALSE(health_.IsAway());
  Fail();
  EXPECT_FALSE(health_.IsAway());
  Fail();
  EXPECT_TRUE(health_.IsAway());
  health_.OnOpened();
  EXPECT_TRUE(health_.IsAway());
  health_.OnVerdicts(kNow, false);
  EXPECT_FALSE(health_.IsAway());
}

TEST_F(PeerHealthTest, AStreamThatBroughtAVerdictIsNoFailure) {
  for (int i = 0; i < 3; ++i) {
    health_.OnOpened();
    health_.OnVerdicts(kNow, false);
    health_.OnLost();
  }
  EXPECT_FALSE(health_.IsAway());
  // Failures count from the latest verdict on.
  Fail();
  EXPECT_FALSE(health_.IsAway());
  Fail();
  EXPECT_TRUE(health_.IsAway());
}

TEST_F(PeerHealthTest, AServiceWithoutTheStreamIsNotAway) {
  Fail();
  Fail();
  health_.OnOpened();
  health_.OnUnimplemented();
  EXPECT_FALSE(health_.IsAway());
  EXPECT_FALSE(health_.IsBackingOff());
}

TEST_F(PeerHealthTest, ALossIsReportedOnceUntilTheNextVerdict) {
  health_.OnOpened();
  EXPECT_FALSE(health_.OnVerdicts(kNow, false));
  EXPECT_TRUE(health_.OnLost().is_first);
  EXPECT_FALSE(Fail().is_first);
  EXPECT_FALSE(Fail().is_first);
  health_.OnOpened();
  EXPECT_TRUE(health_.OnVerdicts(kNow, true));
  EXPECT_FALSE(health_.OnVerdicts(kNow, false));
  EXPECT_TRUE(health_.OnLost().is_first);
}

TEST_F(PeerHealthTest, BacksOffForHalfOfThePauseAtLeast) {
  EXPECT_FALSE(health_.IsBackingOff());
  for (int i = 0; i < 1000; ++i) {
    health_.OnOpened();
    const auto pause = health_.OnLost().pause;
    EXPECT_GE(pause, kPause / 2);
    EXPECT_LE(pause, kPause);
    EXPECT_TRUE(health_.IsBackingOff());
    health_.OnBackOffEnded();
    EXPECT_FALSE(health_.IsBackingOff());
  }
}

TEST_F(PeerHealthTest, SilentWhenVerdictsAreAwaitedForTooLong) {
  health_.OnOpened();
  EXPECT_FALSE(health_.IsSilent(kNow));
  health_.OnSent(kNow);
  health_.OnSent(kNow + 1s);  // Sending a message is not a sign of life.
  EXPECT_FALSE(health_.IsSilent(kNow + kMaxSilence - 1ns));
  EXPECT_TRUE(health_.IsSilent(kNow + kMaxSilence));
}

TEST_F(PeerHealthTest, AVerdictEndsTheSilence) {
  health_.OnOpened();
  health_.OnSent(kNow);
  health_.OnVerdicts(kNow + 1s, true);
  EXPECT_FALSE(health_.IsSilent(kNow + kMaxSilence));
  EXPECT_TRUE(health_.IsSilent(kNow + 1s + kMaxSilence));
  health_.OnVerdicts(kNow + 4s, false);
  EXPECT_FALSE(health_.IsSilent(kNow + 1h));
}

TEST_F(PeerHealthTest, ANewStreamIsNotSilent) {
  health_.OnOpened();
  health_.OnSent(kNow);
  health_.OnLost();
  EXPECT_FALSE(health_.IsSilent(kNow + 1h));
  health_.OnOpened();
  health_.OnSent(kNow + 1h);
  EXPECT_FALSE(health_.IsSilent(kNow + 1h + 1s));
  health_.OnUnimplemented();
  EXPECT_FALSE(health_.IsSilent(kNow + 2h));
}

}  // namespace
}  // namespace customers::client
