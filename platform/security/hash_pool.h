#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstddef>
#include <string>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/security/password.h"
#include "platform/telemetry/report.h"

namespace platform::security {

// Hashes passwords on a few threads of its own, so that no event loop waits. Each running job takes
// 19 MiB. The pool may be used from all event loops at once; a call resumes on the executor that
// awaits it. A call cannot be cancelled: a caller that races it against a timer still waits for its
// end.
//
// While `queue_limit` jobs wait for a thread, further calls fail at once with Error::Unavailable.
// So does a job that has waited for longer than `longest_wait` when its turn comes. Passwords are
// wiped after use. Destroy the pool before the event loops that use it.
class HashPool {
 public:
  HashPool(std::size_t threads, std::size_t queue_limit, HashForm form = HashForm::kArgon2id,
           std::chrono::milliseconds longest_wait = std::chrono::seconds(3));
  // Waits for the running jobs. Jobs that still wait for a thread fail with Error::Unavailable.
  ~HashPool();
  HashPool(const HashPool&) = delete;
  HashPool& operator=(const HashPool&) = delete;

  // See HashPassword. The hashes have the pool's form.
  Task<Result<std::string>> Hash(std::string password);

  // See VerifyPassword.
  Task<Result<Verification>> Verify(std::string hash, std::string password,
                                    RefusalTime refusal = RefusalTime::kOfItsHash);

  // Returns the number of jobs that run or wait at this moment.
  std::size_t Pending() const { return pending_.load(std::memory_order_relaxed); }

  // Reports jobs, refusals, and the times that jobs wait and run. Any thread.
  void ReportTo(telemetry::Report& report) const;

 private:
  template <class T, class Function>
  Task<Result<T>> Run(Function function);

  const std::size_t pending_limit_;
  const HashForm form_;
  const std::chrono::milliseconds longest_wait_;
  std::atomic<std::size_t> pending_ = 0;
  std::atomic<bool> stopping_ = false;
  telemetry::Counter refused_;
  telemetry::Histogram waits_;
  telemetry::Histogram durations_;
  boost::asio::thread_pool pool_;
};

}  // namespace platform::security
