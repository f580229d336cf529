#include "platform/telemetry/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "platform/base/version.h"

namespace platform::telemetry {
namespace {

constexpr Metric kCpu{"process_cpu_seconds_total", "Processor time used, in user and kernel mode."};
constexpr Metric kResident{"process_resident_memory_bytes", "Memory in RAM."};
constexpr Metric kVirtual{"process_virtual_memory_bytes", "Address space in use."};
constexpr Metric kOpenFiles{"process_open_fds", "Open file descriptors, sockets included."};
constexpr Metric kMaxFiles{"process_max_fds", "Limit of open file descriptors."};
constexpr Metric kThreads{"process_threads", "Threads."};
constexpr Metric kStart{"process_start_time_seconds", "Start, in seconds since 1970."};
constexpr Metric kBuild{"microcart_build_info", "Always 1; the labels identify the build."};

// Reads the fields of /proc/self/stat (proc(5)) from the third on. The second, the program's name,
// is skipped because it may contain spaces and parentheses.
std::vector<double> ReadStat() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::istringstream rest(text.substr(text.rfind(')') + 1));
  std::string state;
  rest >> state;
  std::vector<double> fields{0};  // Stands for the state, which is a letter.
  for (double field = 0; rest >> field;) fields.push_back(field);
  return fields;
}

// Returns a field by its number in proc(5).
double Field(const std::vector<double>& stat, std::size_t number) { return stat.at(number - 3); }
constexpr std::size_t kUserTicks = 14;
constexpr std::size_t kKernelTicks = 15;
constexpr std::size_t kThreadCount = 20;
constexpr std::size_t kStartTicks = 22;  // Since the machine's start.
constexpr std::size_t kVirtualBytes = 23;
constexpr std::size_t kResidentPages = 24;

// Returns the machine's start in seconds since 1970.
double ReadBootTime() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(line.find(' ')));
  }
  return 0;
}

double CountOpenFiles() {
  // One of them is the descriptor of the directory that is being read.
  return static_cast<double>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                           std::filesystem::directory_iterator())) -
         1;
}

double MaxOpenFiles() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                         : static_cast<double>(limit.rlim_cur);
}

}  // namespace

void ReportProcess(Report& report) {
  const std::vector<double> stat = ReadStat();
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  report.AddCounter(kCpu, {},
                    (Field(stat, kUserTicks) + Field(stat, kKernelTicks)) / ticks_per_second);
  report.AddGauge(kResident, {},
                  Field(stat, kResidentPages) * static_cast<double>(sysconf(_SC_PAGESIZE)));
  report.AddGauge(kVirtual, {}, Field(stat, kVirtualBytes));
  report.AddGauge(kThreads, {}, Field(stat, kThreadCount));
  report.AddGauge(kOpenFiles, {}, CountOpenFiles());
  report.AddGauge(kMaxFiles, {}, MaxOpenFiles());
  // Computed once, because the kernel's time of the machine's start moves with its clock.
  static const double start = ReadBootTime() + (Field(stat, kStartTicks) / ticks_per_second);
  report.AddGauge(kStart, {}, start);
}

void ReportBuild(Report& report, std::string_view service) {
  report.AddGauge(kBuild, {{"service", service}, {"version", kVersion}, {"compiler", __VERSION__}},
                  1);
}

}  // namespace platform::telemetry
