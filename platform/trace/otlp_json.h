#pragma once

#include <span>
#include <string>
#include <string_view>

#include "platform/trace/span.h"

// OTLP's JSON form (OpenTelemetry Protocol 1, JSON Protobuf Encoding): ids are hexadecimal digits,
// enumerations are numbers, and 64-bit numbers are strings.
namespace platform::trace {

// Returns a span as a JSON object.
std::string ToOtlpJson(const Span& span, Attributes attributes);

// Returns the JSON object of an ExportTraceServiceRequest without the part that follows the spans,
// which is kOtlpEnd. `attributes` describe the process (the resource).
std::string OtlpBeginning(Attributes attributes);
inline constexpr std::string_view kOtlpEnd = "]}]}]}";

}  // namespace platform::trace
