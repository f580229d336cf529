#include "platform/log/stdout_sink.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <thread>
#include <utility>

namespace platform::log {
namespace {

// Blocks while the reader of standard output is slow. Returns the number of lines that could not be
// written for another reason.
std::uint64_t WriteAll(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, lines.data(), lines.size());
    if (written >= 0) {
      lines.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd descriptor{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      ::poll(&descriptor, 1, -1);
    } else if (errno != EINTR) {
      break;
    }
  }
  return static_cast<std::uint64_t>(std::ranges::count(lines, '\n'));
}

}  // namespace

StdoutSink::StdoutSink(ComposeDropped compose_dropped)
    : compose_dropped_(std::move(compose_dropped)) {
  // The new thread must not receive signals, which the program's own threads handle.
  sigset_t all_signals;
  sigset_t previous;
  sigfillset(&all_signals);
  pthread_sigmask(SIG_SETMASK, &all_signals, &previous);
  std::thread([this] { WriteLines(); }).detach();
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

void StdoutSink::sink_it_(const spdlog::details::log_msg& message) {
  const std::size_t size_before = buffer_.size();
  if (size_before >= kMaxBufferBytes) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  formatter_->format(message, buffer_);
  if (size_before == 0 || (size_before < kBatchBytes && buffer_.size() >= kBatchBytes)) {
    lines_wait_.notify_one();
  }
}

void StdoutSink::flush_() {
  is_urgent_ = true;
  lines_wait_.notify_one();
}

void StdoutSink::Drain(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  flush_();
  written_.wait_until(lock, deadline, [this] { return buffer_.size() == 0 && !is_writing_; });
}

void StdoutSink::WriteLines() {
  std::uint64_t reported = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    lines_wait_.wait(lock, [this] { return buffer_.size() != 0; });
    lines_wait_.wait_until(lock, last_write_ + kMaxDelay,
                           [this] { return is_urgent_ || buffer_.size() >= kBatchBytes; });
    if (const std::uint64_t dropped = this->dropped(); dropped != reported) {
      const std::string text = compose_dropped_(dropped);
      formatter_->format(spdlog::details::log_msg({}, spdlog::level::warn, text), buffer_);
      reported = dropped;
    }
    const spdlog::memory_buf_t lines = std::move(buffer_);
    buffer_.clear();
    is_urgent_ = false;
    is_writing_ = true;
    lock.unlock();
    const std::uint64_t failed = WriteAll({lines.data(), lines.size()});
    lock.lock();
    dropped_.fetch_add(failed, std::memory_order_relaxed);
    is_writing_ = false;
    last_write_ = std::chrono::steady_clock::now();
    written_.notify_all();
  }
}

}  // namespace platform::log
