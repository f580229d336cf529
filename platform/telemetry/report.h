#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "platform/telemetry/instruments.h"

namespace platform::telemetry {

// One metric, named by Prometheus' conventions: base units, and `_total` for counters. Declare it
// as a constant; no two metrics share a name.
struct Metric {
  std::string_view name;
  std::string_view help;  // A sentence.
};

struct Label {
  std::string_view name;
  std::string_view value;
};
// Each combination is a time series, so take values from a small, fixed set and never from a
// client.
using Labels = std::initializer_list<Label>;

// Collects the samples of one scrape. Samples of the same metric and labels are added up, so every
// worker reports its own. Use it on one thread.
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
  // All histograms of one metric must have the same buckets.
  void AddHistogram(const Metric& metric, Labels labels, const Histogram& histogram);

  // Returns Prometheus' text format, version 0.0.4, with metrics and their series in a fixed order.
  std::string Text() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Adds samples to a report. Called by scrapes, on a thread of their own.
using Source = std::function<void(Report&)>;

}  // namespace platform::telemetry
