#include "platform/trace/otlp_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>
#include <variant>

#include "platform/base/version.h"
#include "platform/log/json_text.h"

namespace platform::trace {
namespace {

constexpr int kStatusError = 2;
// Size of most spans.
constexpr std::size_t kSpanBytes = 768;

std::int64_t Nanoseconds(SpanClock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

void AppendValue(std::string& out, const log::Field::Value& value) {
  const auto it = std::back_inserter(out);
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    out += R"("stringValue":)";
    log::AppendJsonString(out, *text);
  } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    fmt::format_to(it, R"("intValue":"{}")", *whole);
  } else if (const auto* count = std::get_if<std::uint64_t>(&value)) {
    fmt::format_to(it, R"("intValue":"{}")", *count);
  } else if (const auto* real = std::get_if<double>(&value)) {
    fmt::format_to(it, R"("doubleValue":{})", *real);
  } else if (const auto* truth = std::get_if<bool>(&value)) {
    fmt::format_to(it, R"("boolValue":{})", *truth);
  }
}

void AppendAttributes(std::string& out, Attributes attributes) {
  out += R"("attributes":[)";
  bool is_first = true;
  for (const log::Field& attribute : attributes) {
    if (std::holds_alternative<std::monostate>(attribute.value())) continue;
    if (!std::exchange(is_first, false)) out += ',';
    out += R"({"key":)";
    log::AppendJsonString(out, attribute.key());
    out += R"(,"value":{)";
    AppendValue(out, attribute.value());
    out += "}}";
  }
  out += ']';
}

}  // namespace

std::string ToOtlpJson(const Span& span, Attributes attributes) {
  std::string out;
  out.reserve(kSpanBytes);
  const auto it = std::back_inserter(out);
  fmt::format_to(it, R"({{"traceId":"{}","spanId":"{}",)", span.context.trace_id(),
                 span.context.span_id());
  if (!span.parent_id.empty()) fmt::format_to(it, R"("parentSpanId":"{}",)", span.parent_id);
  out += R"("name":)";
  log::AppendJsonString(out, span.name);
  // The system's clock may have been set back meanwhile.
  fmt::format_to(it, R"(,"kind":{},"startTimeUnixNano":"{}","endTimeUnixNano":"{}",)",
                 std::to_underlying(span.kind), Nanoseconds(span.start),
                 Nanoseconds(std::max(span.start, span.end)));
  AppendAttributes(out, attributes);
  if (span.is_failed) fmt::format_to(it, R"(,"status":{{"code":{}}})", kStatusError);
  out += '}';
  return out;
}

std::string OtlpBeginning(Attributes attributes) {
  std::string out = R"({"resourceSpans":[{"resource":{)";
  AppendAttributes(out, attributes);
  fmt::format_to(std::back_inserter(out),
                 R"(}},"scopeSpans":[{{"scope":{{"name":"microcart","version":"{}"}},"spans":[)",
                 kVersion);
  return out;
}

}  // namespace platform::trace
