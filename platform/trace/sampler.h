#pragma once

#include <optional>

#include "platform/trace/trace_context.h"

namespace platform::trace {

// Decides which spans are recorded, as OpenTelemetry's built-in samplers do. The decision is a
// property of the trace's id, so all services with the same ratio record the same traces.
struct Sampler {
  // A span with a parent is recorded if the parent is.
  bool follows_parent = true;
  // The share of other spans that are recorded, from 0 to 1.
  double ratio = 1;

  // Returns whether a new span is recorded. `parent` is the span in another process from which it
  // comes, if there is one.
  bool Samples(const std::optional<TraceContext>& parent, const TraceContext& span) const;
};

}  // namespace platform::trace
