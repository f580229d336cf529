#pragma once

#include <spdlog/sinks/base_sink.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

namespace platform::log {

// Gathers lines and writes them to standard output, whole and many at a time: at once if nothing
// was written for kMaxDelay, otherwise within kMaxDelay. Starts a thread and lives until the
// process ends.
class StdoutSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  static constexpr std::chrono::milliseconds kMaxDelay{200};
  static constexpr std::size_t kMaxBufferBytes = std::size_t{64} * 1024;

  StdoutSink();

 private:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override;
  void WriteDelayedLines();

  // These are guarded by base_sink's mutex_.
  spdlog::memory_buf_t buffer_;
  std::chrono::steady_clock::time_point last_write_;
  std::condition_variable delayed_;
};

}  // namespace platform::log
