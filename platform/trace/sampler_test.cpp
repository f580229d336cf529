#include "platform/trace/sampler.h"

#include <gtest/gtest.h>

#include <string>

namespace platform::trace {
namespace {

TraceContext Parse(const std::string& header) { return TraceContext::Parse(header).value(); }

const std::string kIds = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";

TEST(Sampler, FollowsTheParent) {
  const TraceContext recorded = Parse(kIds + "01");
  const TraceContext not_recorded = Parse(kIds + "00");
  for (const double ratio : {0.0, 0.5, 1.0}) {
    const Sampler sampler{.follows_parent = true, .ratio = ratio};
    EXPECT_TRUE(sampler.Samples(recorded, recorded.NewSpan())) << ratio;
    EXPECT_FALSE(sampler.Samples(not_recorded, not_recorded.NewSpan())) << ratio;
  }
}

TEST(Sampler, DecidesWithoutAParent) {
  const TraceContext span;
  EXPECT_TRUE((Sampler{.ratio = 1}.Samples(std::nullopt, span)));
  EXPECT_FALSE((Sampler{.ratio = 0}.Samples(std::nullopt, span)));
}

TEST(Sampler, DecidesAgainstTheParent) {
  const TraceContext recorded = Parse(kIds + "01");
  const TraceContext not_recorded = Parse(kIds + "00");
  EXPECT_FALSE((Sampler{.follows_parent = false, .ratio = 0}.Samples(recorded, recorded)));
  EXPECT_TRUE((Sampler{.follows_parent = false, .ratio = 1}.Samples(not_recorded, not_recorded)));
}

TEST(Sampler, RatioDependsOnTheLastDigitsOfTheTraceAlone) {
  const auto samples = [](double ratio, const std::string& digits) {
    const TraceContext span = Parse("00-" + digits + "-00f067aa0ba902b7-00");
    return Sampler{.ratio = ratio}.Samples(std::nullopt, span);
  };
  EXPECT_TRUE(samples(0.5, "ffffffffffffffff7fffffffffffffff"));
  EXPECT_FALSE(samples(0.5, "00000000000000018000000000000000"));
  EXPECT_TRUE(samples(1, "ffffffffffffffffffffffffffffffff"));
  EXPECT_FALSE(samples(0, "ffffffffffffffff0000000000000000"));
}

TEST(Sampler, RatioIsTheShareOfRandomTraces) {
  constexpr int kTraces = 20'000;
  const Sampler sampler{.ratio = 0.25};
  int sampled = 0;
  for (int i = 0; i < kTraces; ++i)
    sampled += sampler.Samples(std::nullopt, TraceContext()) ? 1 : 0;
  // Eight standard deviations, which are about 61.
  EXPECT_NEAR(sampled, kTraces * 0.25, 490);
}

}  // namespace
}  // namespace platform::trace
