#include "platform/trace/trace_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace platform::trace {
namespace {

using namespace std::string_literals;

constexpr const char* kHeader = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr const char* kIds = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

TEST(TraceContext, IsReadFromItsHeader) {
  const auto context = TraceContext::Parse(kHeader);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(context->span_id(), "00f067aa0ba902b7");
  EXPECT_TRUE(context->is_sampled());
  EXPECT_EQ(context->traceparent(), kHeader);
}

TEST(TraceContext, ASpanKeepsItsTrace) {
  const auto parent = TraceContext::Parse(kHeader);
  ASSERT_TRUE(parent);
  const TraceContext child = parent->NewSpan();
  EXPECT_EQ(child.trace_id(), parent->trace_id());
  EXPECT_NE(child.span_id(), parent->span_id());
  EXPECT_TRUE(child.is_sampled());
  EXPECT_TRUE(TraceContext::Parse(child.traceparent()));
}

TEST(TraceContext, IsMadeAnew) {
  const TraceContext one;
  const TraceContext other;
  EXPECT_THAT(std::string(one.traceparent()), testing::MatchesRegex("00-[0-9a-f]+-[0-9a-f]+-00"));
  EXPECT_TRUE(TraceContext::Parse(one.traceparent()));
  EXPECT_NE(one.trace_id(), other.trace_id());
  EXPECT_NE(one.span_id(), other.span_id());
}

TEST(TraceContext, SampledIsPassedOn) {
  TraceContext context;
  context.SetSampled(true);
  EXPECT_TRUE(context.is_sampled());
  EXPECT_THAT(std::string(context.NewSpan().traceparent()), testing::EndsWith("-01"));
  context.SetSampled(false);
  EXPECT_FALSE(context.is_sampled());
  EXPECT_THAT(std::string(context.traceparent()), testing::EndsWith("-00"));
}

struct Row {
  const char* label;
  std::string header;
  bool is_valid;
  std::string flags = {};  // The flags that are passed on.
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.label; }

class TraceContextHeader : public testing::TestWithParam<Row> {};

TEST_P(TraceContextHeader, IsValidOrNot) {
  const auto context = TraceContext::Parse(GetParam().header);
  ASSERT_EQ(context.has_value(), GetParam().is_valid);
  if (context) {
    EXPECT_EQ(context->traceparent(), "00-"s + kIds + "-" + GetParam().flags);
  }
}

INSTANTIATE_TEST_SUITE_P(
    , TraceContextHeader,
    testing::Values(
        Row{"not_sampled", "00-"s + kIds + "-00", true, "00"},
        Row{"sampled", "00-"s + kIds + "-01", true, "01"},
        Row{"unknown_flags_are_cleared", "00-"s + kIds + "-ff", true, "01"},
        Row{"unknown_flag_alone", "00-"s + kIds + "-02", true, "00"},
        Row{"later_version", "cc-"s + kIds + "-01", true, "01"},
        Row{"later_version_with_more", "cc-"s + kIds + "-01-what-will-be", true, "01"},
        Row{"later_version_with_a_dash", "01-"s + kIds + "-01-", true, "01"},
        Row{"later_version_without_a_dash", "cc-"s + kIds + "-01.what", false},
        Row{"later_version_too_long_flags", "cc-"s + kIds + "-011", false},
        Row{"this_version_with_more", "00-"s + kIds + "-01-what", false},
        Row{"this_version_with_a_dash", "00-"s + kIds + "-01-", false},
        Row{"version_ff", "ff-"s + kIds + "-01", false},
        Row{"version_in_upper_case", "0A-"s + kIds + "-01", false},
        Row{"version_no_number", "zz-"s + kIds + "-01", false},
        Row{"zero_trace_id", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", false},
        Row{"zero_span_id", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false},
        Row{"trace_id_in_upper_case", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            false},
        Row{"span_id_in_upper_case", "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
            false},
        Row{"trace_id_no_number", "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", false},
        Row{"span_id_no_number", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b.-01", false},
        Row{"flags_no_number", "00-"s + kIds + "-0x", false},
        Row{"flags_in_upper_case", "00-"s + kIds + "-0A", false},
        Row{"other_separators", "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01", false},
        Row{"short_trace_id", "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-001", false},
        Row{"too_short", "00-"s + kIds + "-0", false}, Row{"no_flags", "00-"s + kIds, false},
        Row{"space_in_front", " 00-"s + kIds + "-01", false},
        Row{"two_headers_in_one", "00-"s + kIds + "-01,00-" + kIds + "-01", false},
        Row{"nothing", "", false}, Row{"nul", std::string(55, '\0'), false}),
    [](const auto& row) { return std::string(row.param.label); });

}  // namespace
}  // namespace platform::trace
