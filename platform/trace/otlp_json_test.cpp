#include "platform/trace/otlp_json.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace platform::trace {
namespace {

using boost::json::parse;
using std::chrono::nanoseconds;

constexpr std::string_view kHeader = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

SpanClock::time_point At(std::int64_t count) {
  return SpanClock::time_point(std::chrono::duration_cast<SpanClock::duration>(nanoseconds(count)));
}

TEST(OtlpJson, HoldsTheWholeSpan) {
  const TraceContext context = TraceContext::Parse(kHeader).value();
  const std::string json = ToOtlpJson({.context = context,
                                       .parent_id = "0123456789abcdef",
                                       .kind = SpanKind::kServer,
                                       .name = "GET /api/v1/cart/{user_id}/",
                                       .start = At(1'795'000'000'123'456'789),
                                       .end = At(1'795'000'000'223'456'789),
                                       .is_failed = true},
                                      {{"text", "a \"quoted\" \xff text"},
                                       {"status", 503U},
                                       {"negative", -1},
                                       {"real", 0.5},
                                       {"truth", true},
                                       {"missing", std::optional<std::string_view>()}});
  EXPECT_EQ(parse(json), parse(R"({
    "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7",
    "parentSpanId": "0123456789abcdef", "name": "GET /api/v1/cart/{user_id}/", "kind": 2,
    "startTimeUnixNano": "1795000000123456789", "endTimeUnixNano": "1795000000223456789",
    "attributes": [
      {"key": "text", "value": {"stringValue": "a \"quoted\" \ufffd text"}},
      {"key": "status", "value": {"intValue": "503"}},
      {"key": "negative", "value": {"intValue": "-1"}},
      {"key": "real", "value": {"doubleValue": 0.5}},
      {"key": "truth", "value": {"boolValue": true}}],
    "status": {"code": 2}})"));
}

TEST(OtlpJson, LeavesOutWhatASpanDoesNotHave) {
  const TraceContext context = TraceContext::Parse(kHeader).value();
  const auto json = parse(ToOtlpJson({.context = context,
                                      .parent_id = "",
                                      .kind = SpanKind::kClient,
                                      .name = "read_cart",
                                      .start = At(2000),
                                      .end = At(3000)},
                                     {}));
  EXPECT_FALSE(json.as_object().contains("parentSpanId"));
  EXPECT_FALSE(json.as_object().contains("status"));
  EXPECT_EQ(json.at("kind"), 3);
  EXPECT_TRUE(json.at("attributes").as_array().empty());
}

TEST(OtlpJson, DoesNotEndBeforeItsStart) {
  const TraceContext context;
  const auto json = parse(ToOtlpJson({.context = context,
                                      .parent_id = "",
                                      .kind = SpanKind::kClient,
                                      .name = "x",
                                      .start = At(3000),
                                      .end = At(2000)},
                                     {}));
  EXPECT_EQ(json.at("endTimeUnixNano"), "3000");
}

TEST(OtlpJson, ARequestNamesTheService) {
  const auto json = parse(OtlpBeginning({{"service.name", "cart"}}) + "{}" + std::string(kOtlpEnd));
  const auto& resource_spans = json.at("resourceSpans").at(0);
  EXPECT_EQ(
      resource_spans.at("resource"),
      parse(R"({"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]})"));
  EXPECT_EQ(resource_spans.at("scopeSpans").at(0).at("spans"), parse("[{}]"));
}

}  // namespace
}  // namespace platform::trace
