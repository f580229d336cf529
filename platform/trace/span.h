#pragma once

#include <chrono>
#include <string_view>

#include "platform/log/log.h"
#include "platform/trace/trace_context.h"

namespace platform::trace {

using SpanClock = std::chrono::system_clock;

// The values are OTLP's.
enum class SpanKind {
  kServer = 2,  // The work for a request from another process.
  kClient = 3,  // The wait for another process.
};

// A span that has ended. It refers to the caller's texts: use it only as an argument of a call.
struct Span {
  const TraceContext& context;
  std::string_view parent_id;  // The parent's span_id(); empty if there is none.
  SpanKind kind;
  std::string_view name;
  SpanClock::time_point start;
  SpanClock::time_point end;
  bool is_failed = false;
};

// The attributes of a span. An optional without a value is left out.
using Attributes = log::Fields;

}  // namespace platform::trace
