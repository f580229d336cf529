#pragma once

#include <string_view>

#include "platform/telemetry/report.h"

namespace platform::telemetry {

// What every Prometheus client library reports of its process: processor time, memory,
// descriptors, threads, start.
void ReportProcess(Report& report);

// Which build of which service this is.
void ReportBuild(Report& report, std::string_view service);

}  // namespace platform::telemetry
