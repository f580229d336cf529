#include "platform/trace/trace_context.h"

#include <algorithm>

#include "platform/security/random.h"

namespace platform::trace {
namespace {

constexpr unsigned kSampled = 1;

constexpr std::array<char, 55> kBlank = [] {
  std::array<char, 55> text{};
  std::ranges::copy(std::string_view("00-00000000000000000000000000000000-0000000000000000-00"),
                    text.begin());
  return text;
}();

// Accepts lower case only, because the standard tells receivers to reject upper case.
bool IsHex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Returns whether the text is an id by the standard, which excludes all zeros.
bool IsId(std::string_view text) {
  return IsHex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

unsigned ValueOf(char digit) {
  return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

}  // namespace

TraceContext::TraceContext() : text_(kBlank) {
  security::FillRandomHex({text_.data() + kTraceId, kTraceIdSize});
  security::FillRandomHex({text_.data() + kSpanId, kSpanIdSize});
}

TraceContext::TraceContext(Copied, std::string_view trace_id, std::string_view span_id,
                           bool is_sampled)
    : text_(kBlank) {
  std::ranges::copy(trace_id, text_.begin() + kTraceId);
  std::ranges::copy(span_id, text_.begin() + kSpanId);
  if (is_sampled) text_.back() = '1';
}

std::optional<TraceContext> TraceContext::Parse(std::string_view traceparent) {
  if (traceparent.size() < kSize) return std::nullopt;
  const std::string_view version = traceparent.substr(0, 2);
  const std::string_view trace_id = traceparent.substr(kTraceId, kTraceIdSize);
  const std::string_view span_id = traceparent.substr(kSpanId, kSpanIdSize);
  const std::string_view flags = traceparent.substr(kFlags, 2);
  const bool has_dashes = traceparent[kTraceId - 1] == '-' && traceparent[kSpanId - 1] == '-' &&
                          traceparent[kFlags - 1] == '-';
  if (!has_dashes || !IsHex(version) || version == "ff" || !IsId(trace_id) || !IsId(span_id) ||
      !IsHex(flags)) {
    return std::nullopt;
  }
  // Only later versions may have more parts.
  if (traceparent.size() > kSize && (version == "00" || traceparent[kSize] != '-')) {
    return std::nullopt;
  }
  return TraceContext(Copied(), trace_id, span_id, (ValueOf(flags[1]) & kSampled) != 0);
}

TraceContext TraceContext::NewSpan() const {
  TraceContext span = *this;
  security::FillRandomHex({span.text_.data() + kSpanId, kSpanIdSize});
  return span;
}

}  // namespace platform::trace
