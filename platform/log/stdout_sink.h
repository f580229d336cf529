#pragma once

#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace platform::log {

// Gathers lines and writes them to standard output on a thread of its own, whole and many at a
// time: at once if nothing was written for kMaxDelay, otherwise within kMaxDelay. So a reader that
// stalls blocks that thread alone. While the reader stalls, lines are kept up to kMaxBufferBytes;
// later lines are dropped and counted, and a line in their place reports the count. Lives until the
// process ends.
class StdoutSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  static constexpr std::chrono::milliseconds kMaxDelay{200};
  // Waiting lines of this size are written at once.
  static constexpr std::size_t kBatchBytes = std::size_t{64} * 1024;
  static constexpr std::size_t kMaxBufferBytes = std::size_t{4} * 1024 * 1024;

  // Composes the text of the line that reports the lines dropped since the start. Called on the
  // sink's thread.
  using ComposeDropped = std::function<std::string(std::uint64_t dropped)>;

  explicit StdoutSink(ComposeDropped compose_dropped);

  // Waits until all lines so far are written, or until `deadline`.
  void Drain(std::chrono::steady_clock::time_point deadline);

  // Returns the number of lines that were dropped. Any thread.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override;
  // Has the waiting lines written at once; does not wait for it.
  void flush_() override;
  void WriteLines();

  const ComposeDropped compose_dropped_;
  std::atomic<std::uint64_t> dropped_ = 0;

  // These are guarded by base_sink's mutex_.
  spdlog::memory_buf_t buffer_;
  bool is_urgent_ = false;
  bool is_writing_ = false;
  std::chrono::steady_clock::time_point last_write_;
  std::condition_variable lines_wait_;
  std::condition_variable written_;
};

}  // namespace platform::log
