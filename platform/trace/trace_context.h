#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace platform::trace {

// A span of a distributed trace, as W3C Trace Context (level 1) names it in the header
// `traceparent`. A `tracestate` is dropped, because nothing in it concerns our spans.
class TraceContext {
 public:
  // The first span of a new trace, not sampled.
  TraceContext();

  // Returns the span that a header names, or nothing if the standard calls the header invalid. A
  // header of a later version is read as far as this version defines it.
  static std::optional<TraceContext> Parse(std::string_view traceparent);

  // Returns another span of the same trace.
  TraceContext NewSpan() const;

  // Returns the header that names this span: "00-<trace id>-<span id>-<flags>".
  std::string_view traceparent() const { return {text_.data(), text_.size()}; }
  // They are 32 and 16 lower-case hexadecimal digits.
  std::string_view trace_id() const { return traceparent().substr(kTraceId, kTraceIdSize); }
  std::string_view span_id() const { return traceparent().substr(kSpanId, kSpanIdSize); }
  // Returns whether the spans of this trace are recorded, as far as the caller decides that.
  bool is_sampled() const { return text_.back() == '1'; }
  void SetSampled(bool is_sampled) { text_.back() = is_sampled ? '1' : '0'; }

 private:
  // Positions and sizes of the header's parts.
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
