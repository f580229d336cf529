#pragma once

#include "platform/telemetry/report.h"

namespace customers {

// The outcomes of password guesses, at logins and wherever the current password is required, and of
// guesses at recovery codes.
struct GuessMetrics {
  platform::telemetry::Counter right;
  platform::telemetry::Counter wrong;
  platform::telemetry::Counter throttled;
  platform::telemetry::Counter undecided;  // The database or the hash pool failed.

  void ReportTo(platform::telemetry::Report& report) const;
};

}  // namespace customers
