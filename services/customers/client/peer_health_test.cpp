#include "services/customers/client/peer_health.h"

#include <gtest/gtest.h>

namespace customers::client {
namespace {

using namespace std::chrono_literals;

constexpr auto kPause = 100ms;

class PeerHealthTest : public ::testing::Test {
 protected:
  // Loses a stream that has brought no verdict, while no replica is connected, and waits.
  PeerHealth::Loss Fail() {
    const PeerHealth::Loss loss =
        health_.OnLost({.was_heard = false, .is_orderly = false, .is_connected = false});
    health_.OnBackOffEnded();
    return loss;
  }

  PeerHealth health_{kPause};
};

TEST_F(PeerHealthTest, AwayAfterTwoStreamsWithoutAVerdict) {
  EXPECT_FALSE(health_.IsAway());
  Fail();
  EXPECT_FALSE(health_.IsAway());
  Fail();
  EXPECT_TRUE(health_.IsAway());
  health_.OnVerdicts();
  EXPECT_FALSE(health_.IsAway());
}

TEST_F(PeerHealthTest, AStreamThatBroughtAVerdictIsNoFailure) {
  for (int i = 0; i < 3; ++i) {
    health_.OnVerdicts();
    health_.OnLost({.was_heard = true, .is_orderly = false, .is_connected = false});
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
  health_.OnUnimplemented();
  EXPECT_FALSE(health_.IsAway());
  EXPECT_FALSE(health_.IsBackingOff());
}

TEST_F(PeerHealthTest, ALossIsReportedOnceUntilTheNextVerdict) {
  EXPECT_FALSE(health_.OnVerdicts());
  EXPECT_TRUE(
      health_.OnLost({.was_heard = true, .is_orderly = false, .is_connected = false}).is_news);
  EXPECT_FALSE(Fail().is_news);
  EXPECT_FALSE(Fail().is_news);
  EXPECT_TRUE(health_.OnVerdicts());
  EXPECT_FALSE(health_.OnVerdicts());
  EXPECT_TRUE(
      health_.OnLost({.was_heard = true, .is_orderly = false, .is_connected = true}).is_news);
}

TEST_F(PeerHealthTest, TheEndOfAReplicaIsNoNews) {
  EXPECT_FALSE(
      health_.OnLost({.was_heard = true, .is_orderly = true, .is_connected = true}).is_news);
  EXPECT_FALSE(
      health_.OnLost({.was_heard = false, .is_orderly = true, .is_connected = true}).is_news);
  EXPECT_FALSE(health_.OnVerdicts());
  // It is if no replica answers any more.
  EXPECT_FALSE(
      health_.OnLost({.was_heard = false, .is_orderly = true, .is_connected = false}).is_news);
  EXPECT_TRUE(
      health_.OnLost({.was_heard = false, .is_orderly = true, .is_connected = false}).is_news);
}

TEST_F(PeerHealthTest, BacksOffForHalfOfThePauseAtLeast) {
  EXPECT_FALSE(health_.IsBackingOff());
  for (int i = 0; i < 1000; ++i) {
    const auto pause =
        health_.OnLost({.was_heard = true, .is_orderly = false, .is_connected = false}).pause;
    ASSERT_TRUE(pause);
    EXPECT_GE(*pause, kPause / 2);
    EXPECT_LE(*pause, kPause);
    EXPECT_TRUE(health_.IsBackingOff());
    health_.OnBackOffEnded();
    EXPECT_FALSE(health_.IsBackingOff());
  }
}

TEST_F(PeerHealthTest, WhileAReplicaIsConnectedTheNextStreamOpensAtOnce) {
  EXPECT_FALSE(
      health_.OnLost({.was_heard = true, .is_orderly = false, .is_connected = true}).pause);
  EXPECT_FALSE(
      health_.OnLost({.was_heard = false, .is_orderly = false, .is_connected = true}).pause);
  EXPECT_FALSE(health_.IsBackingOff());
  // But replicas that only fail do not get one stream after the other.
  EXPECT_TRUE(
      health_.OnLost({.was_heard = false, .is_orderly = false, .is_connected = true}).pause);
  EXPECT_TRUE(health_.IsBackingOff());
}

}  // namespace
}  // namespace customers::client
