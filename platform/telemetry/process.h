#pragma once

#include <string_view>

#include "platform/telemetry/report.h"

namespace platform::telemetry {

// Reports the metrics of the process that every Prometheus client library has: processor time,
// memory, descriptors, threads, start.
void ReportProcess(Report& report);

// Reports the service's name, its version and the compiler.
void ReportBuild(Report& report, std::string_view service);

}  // namespace platform::telemetry
