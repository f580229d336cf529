#pragma once

#include <optional>
#include <string_view>

#include "platform/config/environment.h"
#include "platform/trace/tracer.h"

namespace platform::trace {

// Reads OpenTelemetry's variables, OTEL_*. Returns nothing if no collector is named.
std::optional<TracerOptions> ReadTracerOptions(config::Environment& environment,
                                               std::string_view default_service);

}  // namespace platform::trace
