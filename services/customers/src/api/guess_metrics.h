#pragma once

#include "platform/telemetry/report.h"

namespace customers {

// What became of the guesses at passwords: at a login, and where the current one is asked for.
struct GuessMetrics {
  platform::telemetry::Counter right;
  platform::telemetry::Counter wrong;
  platform::telemetry::Counter throttled;
  platform::telemetry::Counter undecided;  // The database or the hash pool did not do its part.

  void ReportTo(platform::telemetry::Report& report) const;
};

}  // namespace customers
