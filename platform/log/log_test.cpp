#include "platform/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace platform::log {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::SizeIs;

// Replaces standard output by a file for one test.
class LogTest : public testing::Test {
 protected:
  LogTest() {
    Configure(Level::kInfo, Format::kJson);
    Flush();
    ::dup2(::fileno(file_.get()), STDOUT_FILENO);
  }
  ~LogTest() override {
    Flush();
    ::dup2(saved_, STDOUT_FILENO);
    ::close(saved_);
  }
  // Returns the text that has been written so far.
  std::string Written() const {
    std::string text;
    std::array<char, 65536> part{};
    ssize_t size = 0;
    while ((size = ::pread(::fileno(file_.get()), part.data(), part.size(),
                           static_cast<off_t>(text.size()))) > 0) {
      text.append(part.data(), static_cast<std::size_t>(size));
    }
    return text;
  }

  std::vector<std::string> Lines() const {
    Flush();
    std::vector<std::string> lines;
    std::istringstream text(Written());
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

 private:
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{std::tmpfile(), &std::fclose};
  const int saved_ = ::dup(STDOUT_FILENO);
};

TEST_F(LogTest, WritesJson) {
  const std::uint16_t port = 8081;
  Info("listening", {{"protocol", "http"}, {"address", std::string("127.0.0.1")}, {"port", port}});
  ASSERT_THAT(Lines(), SizeIs(1));
  EXPECT_THAT(
      Lines()[0],
      MatchesRegex(R"(\{"time":"20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9])"
                   R"(\.[0-9][0-9][0-9][0-9][0-9][0-9]Z","level":"info","message":"listening",)"
                   R"("protocol":"http","address":"127\.0\.0\.1","port":8081\})"));
}

TEST_F(LogTest, WritesTextForPeople) {
  Configure(Level::kInfo, Format::kText);
  Warning("slow\nquery", {{"name", "a \"b\""}, {"ms", 12}});
  ASSERT_THAT(Lines(), SizeIs(1));
  EXPECT_THAT(Lines()[0], EndsWith(R"( warning slow\nquery name="a \"b\"" ms=12)"));
}

TEST_F(LogTest, NamesLevels) {
  Configure(Level::kTrace, Format::kJson);
  Trace("m");
  Debug("m");
  Info("m");
  Warning("m");
  Error("m");
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_THAT(lines[0], HasSubstr(R"("level":"trace",)"));
  EXPECT_THAT(lines[1], HasSubstr(R"("level":"debug",)"));
  EXPECT_THAT(lines[2], HasSubstr(R"("level":"info",)"));
  EXPECT_THAT(lines[3], HasSubstr(R"("level":"warning",)"));
  EXPECT_THAT(lines[4], HasSubstr(R"("level":"error",)"));
}

TEST_F(LogTest, LeavesOutWhatIsBelowTheLevel) {
  Configure(Level::kWarning, Format::kJson);
  EXPECT_FALSE(Enabled(Level::kInfo));
  EXPECT_TRUE(Enabled(Level::kWarning));
  EXPECT_TRUE(Enabled(Level::kError));
  Info("quiet");
  EXPECT_THAT(Lines(), IsEmpty());
}

struct ValueCase {
  const char* label;
  Field field;
  const char* json;
};

void PrintTo(const ValueCase& row, std::ostream* out) { *out << row.label; }

class LogValue : public LogTest, public testing::WithParamInterface<ValueCase> {};

TEST_P(LogValue, IsWrittenAsJson) {
  Info("m", {GetParam().field});
  ASSERT_THAT(Lines(), SizeIs(1));
  EXPECT_THAT(Lines()[0], EndsWith(std::string(R"("message":"m","k":)") + GetParam().json + "}"));
  EXPECT_NO_THROW(boost::json::parse(Lines()[0]));
}

INSTANTIATE_TEST_SUITE_P(
    , LogValue,
    testing::Values(
        ValueCase{"text", {"k", "plain"}, R"("plain")"}, ValueCase{"empty", {"k", ""}, R"("")"},
        ValueCase{"quotes", {"k", R"(a"b\c)"}, R"("a\"b\\c")"},
        ValueCase{"controls", {"k", "a\n\t\x01\x1f"}, R"("a\n\t\u0001\u001f")"},
        ValueCase{"nul", {"k", std::string_view("a\0b", 3)}, R"("a\u0000b")"},
        ValueCase{"utf8", {"k", "Zoë €"}, R"("Zoë €")"},
        ValueCase{"astral", {"k", "\xF0\x9F\x9B\x92"}, "\"\xF0\x9F\x9B\x92\""},
        ValueCase{"latin1", {"k", "Zo\xEB!"}, "\"Zo\xEF\xBF\xBD!\""},
        ValueCase{"cut_short", {"k", "a\xE2\x82"}, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\""},
        ValueCase{"overlong", {"k", "\xC0\x80"}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        ValueCase{"surrogate", {"k", "\xED\xA0\x80"}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        ValueCase{"negative", {"k", -5}, "-5"},
        ValueCase{
            "smallest", {"k", std::numeric_limits<std::int64_t>::min()}, "-9223372036854775808"},
        ValueCase{
            "largest", {"k", std::numeric_limits<std::uint64_t>::max()}, "18446744073709551615"},
        ValueCase{"real", {"k", 0.25}, "0.25"}, ValueCase{"float_number", {"k", 1.5F}, "1.5"},
        ValueCase{"not_a_number", {"k", std::numeric_limits<double>::quiet_NaN()}, "null"},
        ValueCase{"infinite", {"k", std::numeric_limits<double>::infinity()}, "null"},
        ValueCase{"no_number", {"k", std::optional<int>()}, "null"},
        ValueCase{"some_number", {"k", std::optional<int>(-5)}, "-5"},
        ValueCase{"no_text", {"k", std::optional<std::string_view>()}, "null"},
        ValueCase{"some_text", {"k", std::optional<std::string_view>("a\"b")}, R"("a\"b")"},
        ValueCase{"true_value", {"k", true}, "true"},
        ValueCase{"false_value", {"k", false}, "false"}),
    [](const auto& row) { return std::string(row.param.label); });

TEST_F(LogTest, EscapesTheMessage) {
  Info("a\"b\n%v {}");
  ASSERT_THAT(Lines(), SizeIs(1));
  EXPECT_THAT(Lines()[0], EndsWith(R"("message":"a\"b\n%v {}"})"));
}

TEST_F(LogTest, WritesEveryLineSoonWithoutAFlush) {
  for (const std::string text : {"first", "second"}) {
    Info(text);
    while (!Written().ends_with("\"" + text + "\"}\n")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

// Replaces standard output by a pipe that nobody reads until ReadLines().
class StalledReaderTest : public testing::Test {
 protected:
  StalledReaderTest() {
    Configure(Level::kInfo, Format::kJson);
    Flush();
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    reading_ = ends[0];
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[1]);
  }
  ~StalledReaderTest() override { ::close(reading_); }

  // Ends the stall: returns all lines up to one that holds `last`.
  std::vector<std::string> ReadLines(std::string_view last) {
    std::string text;
    std::array<char, 65536> part{};
    while (!text.contains(last) || !text.ends_with('\n')) {
      const ssize_t size = ::read(reading_, part.data(), part.size());
      if (size <= 0) break;
      text.append(part.data(), static_cast<std::size_t>(size));
    }
    Flush();
    ::dup2(saved_, STDOUT_FILENO);
    ::close(saved_);
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

 private:
  int reading_ = -1;
  const int saved_ = ::dup(STDOUT_FILENO);
};

// Five times as much as the buffer holds: a Write() that waited for the reader would never return.
TEST_F(StalledReaderTest, LosesLinesAndCountsThemButBlocksNobody) {
  constexpr int kThreads = 4;
  constexpr std::uint64_t kLines = 5000;
  const std::uint64_t dropped_before = DroppedLines();
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([] {
        const std::string text(1000, 'x');
        for (std::uint64_t i = 0; i < kLines; ++i) Warning("stalled", {{"text", text}});
      });
    }
  }
  Flush();  // Returns although nothing can be written.
  const std::uint64_t dropped = DroppedLines() - dropped_before;
  EXPECT_GT(dropped, kThreads * kLines / 2);
  EXPECT_LT(dropped, kThreads * kLines);

  // The writer may report twice: once for what was dropped while the pipe had room, and at the end.
  const std::vector<std::string> lines = ReadLines("\"total\":" + std::to_string(DroppedLines()));
  ASSERT_FALSE(lines.empty());
  const auto written = std::ranges::count_if(
      lines, [](const std::string& line) { return line.contains("\"stalled\""); });
  EXPECT_EQ(static_cast<std::uint64_t>(written), kThreads * kLines - dropped);
  const auto report = boost::json::parse(lines.back()).as_object();
  EXPECT_EQ(report.at("level").as_string(), "warning");
  EXPECT_EQ(report.at("total").to_number<std::uint64_t>(), DroppedLines());
}

TEST_F(LogTest, KeepsLinesOfManyThreadsWhole) {
  constexpr int kThreads = 4;
  constexpr int kLines = 2000;  // In all, less than the buffer holds.
  const std::string text(100, 'x');
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([thread, &text] {
        for (int i = 0; i < kLines; ++i) {
          Info("busy", {{"thread", thread}, {"i", i}, {"text", text}});
        }
      });
    }
  }
  std::vector<int> next(kThreads);
  for (const std::string& line : Lines()) {
    const auto object = boost::json::parse(line).as_object();
    EXPECT_EQ(object.at("text").as_string(), text);
    EXPECT_EQ(object.at("i").to_number<int>(),
              next[object.at("thread").to_number<std::size_t>()]++);
  }
  EXPECT_THAT(next, testing::Each(kLines));
}

struct LogsWhenDestroyed {
  ~LogsWhenDestroyed() { Info("from a destructor"); }
};

void ExitWithAStalledReader() {
  static const LogsWhenDestroyed late;
  std::fflush(stdout);  // exit() would write GoogleTest's own lines into the full pipe.
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) std::abort();
  ::dup2(ends[1], STDOUT_FILENO);
  const std::string text(1000, 'x');
  for (int i = 0; i < 1000; ++i) Info("stalled", {{"text", text}});
  std::exit(0);
}

TEST(LogAtExitDeathTest, EndsThoughNobodyReads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(ExitWithAStalledReader(), testing::ExitedWithCode(0), "");
}

TEST(LogAtExitDeathTest, LosesNothing) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        static const LogsWhenDestroyed late;
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        Info("first");
        Info("second");
        Info("third");
        std::exit(0);
      },
      testing::ExitedWithCode(0),
      testing::AllOf(HasSubstr("second"), HasSubstr("third"), HasSubstr("from a destructor")));
}

}  // namespace
}  // namespace platform::log
