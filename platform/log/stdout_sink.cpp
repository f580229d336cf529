#include "platform/log/stdout_sink.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <thread>

namespace platform::log {
namespace {

// Waits if standard output is non-blocking and full. Lines that fail for another reason are lost,
// because there is nowhere to report it.
void WriteAll(const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(STDOUT_FILENO, data, size);
    if (written >= 0) {
      data += written;
      size -= static_cast<std::size_t>(written);
    } else if (errno == EAGAIN) {
      pollfd descriptor{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      ::poll(&descriptor, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace

StdoutSink::StdoutSink() {
  // The new thread must not receive signals, which the program's own threads handle.
  sigset_t all_signals;
  sigset_t previous;
  sigfillset(&all_signals);
  pthread_sigmask(SIG_SETMASK, &all_signals, &previous);
  std::thread([this] { WriteDelayedLines(); }).detach();
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

void StdoutSink::sink_it_(const spdlog::details::log_msg& message) {
  const bool was_empty = buffer_.size() == 0;
  formatter_->format(message, buffer_);
  if (buffer_.size() >= kMaxBufferBytes ||
      std::chrono::steady_clock::now() - last_write_ >= kMaxDelay) {
    flush_();
  } else if (was_empty) {
    delayed_.notify_one();
  }
}

void StdoutSink::flush_() {
  if (buffer_.size() == 0) return;
  WriteAll(buffer_.data(), buffer_.size());
  buffer_.clear();
  last_write_ = std::chrono::steady_clock::now();
}

void StdoutSink::WriteDelayedLines() {
  std::unique_lock lock(mutex_);
  while (true) {
    delayed_.wait(lock, [this] { return buffer_.size() != 0; });
    lock.unlock();
    std::this_thread::sleep_for(kMaxDelay);
    lock.lock();
    flush_();
  }
}

}  // namespace platform::log
