#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "platform/telemetry/instruments.h"

namespace platform::telemetry {

// One metric, named by Prometheus' conventions: base units, `_total` on what only grows. Declare it
// as a constant; one name stands for one of them.
struct Metric {
  std::string_view name;
  std::string_view help;  // A sentence.
};

struct Label {
  std::string_view name;
  std::string_view value;
};
// Each combination is a time series: take values from a small, fixed set, never from a client.
using Labels = std::initializer_list<Label>;

// What one scrape gathers. Samples of the same metric and labels are added up, so that every worker
// reports its own. For one thread.
class Report {
 public:
  Report();
  ~Report();
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  void AddCounter(const Metric& metric, Labels labels, double value);
  void AddCounter(const Metric& metric, Labels labels, const Counter& counter);
  void AddGauge(const Metric& metric, Labels labels, double value);
  void AddGauge(const Metric& metric, Labels labels, const Gauge& gauge);
  // Of one metric, all have the same buckets.
  void AddHistogram(const Metric& metric, Labels labels, const Histogram& histogram);

  // In Prometheus' text format, version 0.0.4; metrics and their series in a fixed order.
  std::string Text() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Adds what something counts to a report. Called by scrapes, on a thread of their own.
using Source = std::function<void(Report&)>;

}  // namespace platform::telemetry
