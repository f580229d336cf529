#include "platform/telemetry/report.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

namespace platform::telemetry {

using prometheus::ClientMetric;
using prometheus::MetricType;

class Report::Impl {
 public:
  // Returns the sample to add to, which is zero at first.
  ClientMetric& Find(const Metric& metric, MetricType type, Labels labels) {
    const auto [found, is_new] =
        families_.try_emplace(metric.name, Family{.help = metric.help, .type = type});
    if (found->second.type != type) {
      throw std::logic_error("a metric of two types: " + std::string(metric.name));
    }
    std::vector<ClientMetric::Label> key;
    for (const auto& [name, value] : labels) key.push_back({std::string(name), std::string(value)});
    return found->second.samples[std::move(key)];
  }

  std::string Text() const {
    std::vector<prometheus::MetricFamily> families;
    for (const auto& [name, family] : families_) {
      auto& out = families.emplace_back();
      out.name = name;
      out.help = family.help;
      out.type = family.type;
      for (const auto& [labels, sample] : family.samples) {
        out.metric.push_back(sample);
        out.metric.back().label = labels;
      }
    }
    return prometheus::TextSerializer().Serialize(families);
  }

 private:
  struct Family {
    std::string_view help;
    MetricType type;
    std::map<std::vector<ClientMetric::Label>, ClientMetric> samples = {};
  };

  std::map<std::string_view, Family> families_;
};

Report::Report() : impl_(std::make_unique<Impl>()) {}

Report::~Report() = default;

void Report::AddCounter(const Metric& metric, Labels labels, double value) {
  impl_->Find(metric, MetricType::Counter, labels).counter.value += value;
}

void Report::AddCounter(const Metric& metric, Labels labels, const Counter& counter) {
  AddCounter(metric, labels, static_cast<double>(counter.value()));
}

void Report::AddGauge(const Metric& metric, Labels labels, double value) {
  impl_->Find(metric, MetricType::Gauge, labels).gauge.value += value;
}

void Report::AddGauge(const Metric& metric, Labels labels, const Gauge& gauge) {
  AddGauge(metric, labels, static_cast<double>(gauge.value()));
}

void Report::AddHistogram(const Metric& metric, Labels labels, const Histogram& histogram) {
  ClientMetric::Histogram& sample = impl_->Find(metric, MetricType::Histogram, labels).histogram;
  const auto& [bounds, unit] = histogram.buckets();
  sample.bucket.resize(bounds.size() + 1);
  sample.sample_sum += histogram.Sum();
  // Counting continues meanwhile. Each bucket is read once, so that the total equals their sum.
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i <= bounds.size(); ++i) {
    cumulative += histogram.CountIn(i);
    sample.bucket[i].cumulative_count += cumulative;
    sample.bucket[i].upper_bound = i < bounds.size() ? static_cast<double>(bounds[i]) * unit
                                                     : std::numeric_limits<double>::infinity();
  }
  sample.sample_count += cumulative;
}

std::string Report::Text() const { return impl_->Text(); }

}  // namespace platform::telemetry
