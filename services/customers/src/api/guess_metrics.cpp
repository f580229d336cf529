#include "services/customers/src/api/guess_metrics.h"

namespace customers {
namespace {

constexpr platform::telemetry::Metric kGuesses{
    "password_guesses_total",
    "Passwords tried at logins and at changes of a password, and recovery codes tried."};

}  // namespace

void GuessMetrics::ReportTo(platform::telemetry::Report& report) const {
  report.AddCounter(kGuesses, {{"outcome", "right"}}, right);
  report.AddCounter(kGuesses, {{"outcome", "wrong"}}, wrong);
  report.AddCounter(kGuesses, {{"outcome", "throttled"}}, throttled);
  report.AddCounter(kGuesses, {{"outcome", "undecided"}}, undecided);
}

}  // namespace customers
