// The figures that all open loops report.

#pragma once

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <cstddef>
#include <vector>

namespace bench {

// Returns percentiles of latencies in milliseconds. All are 0 if there are no latencies.
inline boost::json::object Percentiles(std::vector<double> latencies) {
  std::ranges::sort(latencies);
  boost::json::object percentiles;
  for (const double part : {0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0}) {
    const auto index = static_cast<std::size_t>(part * static_cast<double>(latencies.size()));
    percentiles[fmt::format("{:g}", part * 100)] =
        latencies.empty() ? 0.0 : latencies[std::min(index, latencies.size() - 1)];
  }
  return percentiles;
}

// Returns the user and system time that this process has used so far.
inline double CpuSeconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace bench
