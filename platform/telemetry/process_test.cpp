#include "platform/telemetry/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <vector>

#include "platform/base/version.h"

namespace platform::telemetry {
namespace {

using testing::HasSubstr;

// Returns the value of a metric without labels.
double Value(std::string_view name) {
  Report report;
  ReportProcess(report);
  const std::string text = report.Text();
  const std::string start = "\n" + std::string(name) + ' ';
  const std::size_t found = text.find(start);
  return found == std::string::npos ? -1 : std::stod(text.substr(found + start.size()));
}

double Now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

TEST(Process, TellsItsStart) {
  EXPECT_LE(Value("process_start_time_seconds"), Now() + 1);
  EXPECT_GT(Value("process_start_time_seconds"), Now() - 600);
}

TEST(Process, CountsProcessorTime) {
  const double before = Value("process_cpu_seconds_total");
  const std::clock_t begun = std::clock();
  while (std::clock() - begun < CLOCKS_PER_SEC / 5) {
  }
  const double used = Value("process_cpu_seconds_total") - before;
  EXPECT_GE(used, 0.15);
  EXPECT_LT(used, 2);
}

TEST(Process, CountsMemory) {
  const double before = Value("process_resident_memory_bytes");
  EXPECT_GT(before, 1e6);
  constexpr std::size_t kBytes = 64UZ << 20;
  const std::vector<char> used(kBytes, 'x');
  EXPECT_GE(Value("process_resident_memory_bytes") - before, kBytes / 2.0) << used.back();
  EXPECT_GE(Value("process_virtual_memory_bytes"), Value("process_resident_memory_bytes"));
}

TEST(Process, CountsDescriptors) {
  const double before = Value("process_open_fds");
  const int opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(Value("process_open_fds"), before + 1);
  close(opened);
  EXPECT_EQ(Value("process_open_fds"), before);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(Value("process_max_fds"), static_cast<double>(limit.rlim_cur));
}

TEST(Process, CountsThreads) { EXPECT_GE(Value("process_threads"), 1); }

TEST(Build, IsNamed) {
  Report report;
  ReportBuild(report, "bookshop");
  EXPECT_THAT(report.Text(), HasSubstr("service=\"bookshop\",version=\"" + std::string(kVersion)));
}

}  // namespace
}  // namespace platform::telemetry
