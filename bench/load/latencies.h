// What the open loops report alike.

#pragma once

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <cstddef>
#include <vector>

namespace bench {

// Of latencies in milliseconds, by percentage. All 0 where there are none.
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

// That this process has used so far, of user and system.
inline double CpuSeconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace bench
