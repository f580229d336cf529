#include "platform/log/log.h"

#include <fmt/compile.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include "platform/log/json_text.h"
#include "platform/log/stdout_sink.h"

namespace platform::log {
namespace {

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kTrace:
      return spdlog::level::trace;
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

using Clock = std::chrono::steady_clock;

// Time for the last lines to be written at exit(), and for the lines of a Flush().
constexpr std::chrono::seconds kMaxFlush{1};

std::string ComposeDropped(std::uint64_t dropped);

struct State {
  std::shared_ptr<StdoutSink> sink = std::make_shared<StdoutSink>(&ComposeDropped);
  spdlog::logger logger{"", sink};
  Format format = Format::kJson;
  // Set at exit(), when lines must be written before the process ends.
  std::optional<Clock::time_point> exit_deadline;
};

void Apply(State& state, Level level, Format format) {
  state.format = format;
  state.logger.set_level(ToSpdlog(level));
  state.logger.flush_on(spdlog::level::warn);
  // %v is the text that Write() has composed.
  state.logger.set_pattern(format == Format::kJson
                               ? R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})"
                               : "%Y-%m-%d %H:%M:%S.%f %-7l %v",
                           spdlog::pattern_time_type::utc);
}

void StopBuffering();

// Never destroyed, so that the destructors of other static objects may still log.
State& TheState() {
  static State& state = [] -> State& {
    auto* created = new State;
    Apply(*created, Level::kInfo, Format::kJson);
    std::atexit(&StopBuffering);
    return *created;
  }();
  return state;
}

// Called at exit: waits for the buffered lines to be written. Later lines, of the last destructors,
// are waited for as well, up to the same deadline.
void StopBuffering() {
  State& state = TheState();
  state.exit_deadline = Clock::now() + kMaxFlush;
  state.sink->Drain(*state.exit_deadline);
}

void AppendValue(std::string& line, const Field::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    AppendJsonString(line, *text);
  } else if (const auto* real = std::get_if<double>(&value); real && !std::isfinite(*real)) {
    line += "null";
  } else {
    std::visit(
        [&line](auto plain) {
          if constexpr (std::same_as<decltype(plain), std::monostate>) {
            line += "null";
          } else {
            fmt::format_to(std::back_inserter(line), FMT_COMPILE("{}"), plain);
          }
        },
        value);
  }
}

void AppendJson(std::string& line, std::string_view message, Fields fields) {
  line += R"("message":)";
  AppendJsonString(line, message);
  for (const Field& field : fields) {
    line += ',';
    AppendJsonString(line, field.key());
    line += ':';
    AppendValue(line, field.value());
  }
}

void AppendText(std::string& line, std::string_view message, Fields fields) {
  // The message is escaped like the values, but has no quotes.
  AppendJsonString(line, message);
  line.erase(0, 1);
  line.pop_back();
  for (const Field& field : fields) {
    line += ' ';
    line += field.key();
    line += '=';
    AppendValue(line, field.value());
  }
}

std::string Compose(Format format, std::string_view message, Fields fields) {
  std::string line;
  line.reserve(512);
  if (format == Format::kJson) {
    AppendJson(line, message, fields);
  } else {
    AppendText(line, message, fields);
  }
  return line;
}

std::string ComposeDropped(std::uint64_t dropped) {
  return Compose(TheState().format, "log lines dropped", {{"total", dropped}});
}

}  // namespace

void Configure(Level level, Format format) { Apply(TheState(), level, format); }

bool Enabled(Level level) { return TheState().logger.should_log(ToSpdlog(level)); }

void Write(Level level, std::string_view message, Fields fields) {
  State& state = TheState();
  const auto spdlog_level = ToSpdlog(level);
  if (!state.logger.should_log(spdlog_level)) return;
  state.logger.log(spdlog_level, Compose(state.format, message, fields));
  if (state.exit_deadline) state.sink->Drain(*state.exit_deadline);
}

void Flush() { TheState().sink->Drain(Clock::now() + kMaxFlush); }

std::uint64_t DroppedLines() { return TheState().sink->dropped(); }

}  // namespace platform::log
