#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace platform::trace {

// A span of a distributed trace, as W3C Trace Context (level 1) names it in the header
// `traceparent`. A `tracestate` is not kept: it is for tracing systems, and the services feed none.
class TraceContext {
 public:
  // The first span of a new trace, not sampled.
  TraceContext();

  // The span that a header names; nothing for a header that the standard calls invalid. Of a later
  // version it takes what this one knows.
  static std::optional<TraceContext> Parse(std::string_view traceparent);

  // Another span of the same trace.
  TraceContext NewSpan() const;

  // The header, "00-<trace id>-<span id>-<flags>", to name this span to others.
  std::string_view traceparent() const { return {text_.data(), text_.size()}; }
  // 32 and 16 lower-case hexadecimal digits.
  std::string_view trace_id() const { return traceparent().substr(kTraceId, kTraceIdSize); }
  std::string_view span_id() const { return traceparent().substr(kSpanId, kSpanIdSize); }
  bool is_sampled() const { return text_.back() == '1'; }

 private:
  // Where the parts of the header are.
  static constexpr std::size_t kTraceId = 3;
  static constexpr std::size_t kTraceIdSize = 32;
  static constexpr std::size_t kSpanId = kTraceId + kTraceIdSize + 1;
  static constexpr std::size_t kSpanIdSize = 16;
  static constexpr std::size_t kFlags = kSpanId + kSpanIdSize + 1;
  static constexpr std::size_t kSize = kFlags + 2;

  struct Copied {};
  TraceContext(Copied, std::string_view trace_id, std::string_view span_id, bool is_sampled);

  std::array<char, kSize> text_;
};

}  // namespace platform::trace
