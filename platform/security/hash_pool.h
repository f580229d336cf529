#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "platform/base/client_network.h"
#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/security/fair_queue.h"
#include "platform/security/password.h"
#include "platform/telemetry/report.h"

namespace platform::security {

struct HashPoolOptions {
  // Besides the spare thread. They run at a lower priority than other threads.
  std::size_t threads = 1;
  std::size_t places = 64;            // For each purpose.
  std::size_t places_of_client = 32;  // For each purpose and each share of a client's network.
  HashForm form = HashForm::kArgon2id;
  std::chrono::milliseconds longest_wait = std::chrono::seconds(3);
};

// Hashes passwords on threads of its own, so that no event loop waits. Each running job takes
// 19 MiB. The pool may be used from all event loops at once; a call resumes on the executor that
// awaits it. A call cannot be cancelled: a caller that races it against a timer still waits for its
// end. Passwords are wiped after use. Destroy the pool before the event loops that use it.
//
// Clients take turns as described at FairQueue, so that neither a flood of registrations nor one
// client holds up the logins of others. Registrations run on at most half of the threads.
class HashPool {
  struct State;

 public:
  // A client's place in the pool, in which passwords are hashed one after the other. It may outlive
  // the pool, but then it hashes nothing.
  //
  // The functions fail with Error::Unavailable if the client has lost its place to others, or if
  // the job has waited for longer than `longest_wait` when its turn comes.
  class Place {
   public:
    Place(Place&&) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place();

    // See HashPassword. The hashes have the pool's form.
    Task<Result<std::string>> Hash(std::string password);

    // See VerifyPassword.
    Task<Result<Verification>> Verify(std::string hash, std::string password,
                                      RefusalTime refusal = RefusalTime::kOfItsHash);

   private:
    friend class HashPool;
    Place(std::shared_ptr<State> state, std::unique_ptr<FairQueue::Client> client);

    template <class T, class Function>
    Task<Result<T>> Run(Function function);

    std::shared_ptr<State> state_;
    std::unique_ptr<FairQueue::Client> client_;  // Null once moved from.
  };

  explicit HashPool(const HashPoolOptions& options);
  // Waits for the running jobs. Jobs that still wait for a thread fail with Error::Unavailable.
  ~HashPool();
  HashPool(const HashPool&) = delete;
  HashPool& operator=(const HashPool&) = delete;

  // Takes a place for a client with these networks. Returns Error::Unavailable at once if there is
  // none for it.
  Result<Place> Enter(HashPurpose purpose, const std::vector<ClientNetwork>& networks);

  // Returns the number of jobs that run or wait at this moment.
  std::size_t Pending() const;

  // Reports jobs, refusals, and the times that jobs wait and run. Any thread.
  void ReportTo(telemetry::Report& report) const;

 private:
  const std::shared_ptr<State> state_;
  std::vector<std::jthread> threads_;
};

}  // namespace platform::security
