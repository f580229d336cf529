#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "platform/base/client_network.h"

namespace platform::security {

// What a password is hashed for. Each purpose has places of its own.
enum class HashPurpose : std::size_t {
  kLogin,         // A password or a code that a client shows, and the new one that may replace it.
  kRegistration,  // A new password of a client that shows none.
};
inline constexpr std::size_t kHashPurposes = 2;

struct FairQueueLimits {
  std::size_t places = 0;            // Of each purpose.
  std::size_t places_of_client = 0;  // Of these; times its share, for each network of a client.
  std::size_t registrations_at_once = 1;
  std::chrono::milliseconds longest_wait = std::chrono::seconds(3);
};

// Decides which client's job runs next on a pool of threads, one of which is the spare one.
//
// A client needs a place to have jobs, one at a time. Each of its networks may have a bounded
// number of places. If all places of a purpose are taken, a client whose job would be served
// earlier than the last one that waits takes the place of that one.
//
// Of the two purposes, the one that runs fewer jobs is next. Within a purpose, networks take turns
// by start-time fair queueing: a job starts when the previous one of each of its networks ends in
// virtual time, where a job lasts one turn divided by the share of the network. So however many
// jobs and addresses a network has, it gets no more turns than its share.
//
// The spare thread only takes jobs of clients that had no other place when they asked. So such a
// client need not wait for a thread while one network keeps all others busy.
//
// It is not thread-safe. Functions add the jobs that they refuse to `refused`.
class FairQueue {
  struct Network {
    int share = 1;
    std::array<std::size_t, kHashPurposes> places{};
    std::array<std::uint64_t, kHashPurposes> finish{};  // Virtual end of its last job.
  };
  using Networks = std::unordered_map<std::string, Network>;

 public:
  using Clock = std::chrono::steady_clock;

  // A job calls `run` unless it is refused, and then `finish`.
  struct Job {
    std::move_only_function<void()> run;
    std::move_only_function<void()> finish;
  };

  // A client that has a place.
  class Client {
   public:
    HashPurpose purpose() const { return purpose_; }

   private:
    friend class FairQueue;
    explicit Client(HashPurpose purpose) : purpose_(purpose) {}

    HashPurpose purpose_;
    std::vector<Networks::pointer> networks_;
    bool has_place_ = true;
  };

  enum class Refusal {
    kClientLimit,  // A network of the client has no more places.
    kFull,         // All places are taken by clients that would not be served later.
  };

  // A job that left the queue without having run.
  struct Refused {
    Job job;
    HashPurpose purpose = HashPurpose::kLogin;
  };

  struct Started {
    Job job;
    HashPurpose purpose = HashPurpose::kLogin;
    Clock::time_point asked;
    std::uint64_t ahead = 0;  // Number of jobs that began while it waited.
  };

  enum class Thread { kUsual, kSpare };

  explicit FairQueue(const FairQueueLimits& limits) : limits_(limits) {}

  std::expected<std::unique_ptr<Client>, Refusal> Enter(HashPurpose purpose,
                                                        const std::vector<ClientNetwork>& networks,
                                                        std::vector<Refused>& refused);
  // Gives the place back. The client must have no job that waits.
  void Leave(Client& client);

  // Adds a job, which waits from `now` on. Returns whether the spare thread may take it.
  bool Push(Client& client, Job job, Clock::time_point now);

  // Takes the job that is next for a thread, if any. Jobs that have waited for too long are
  // refused. Call End() when the job has run.
  std::optional<Started> Next(Thread thread, Clock::time_point now, std::vector<Refused>& refused);
  void End(HashPurpose purpose) { --LaneOf(purpose).running; }

  // Takes all jobs that wait.
  std::vector<Refused> Clear();

  std::size_t places(HashPurpose purpose) const { return LaneOf(purpose).places; }
  // Returns the number of jobs that run or wait.
  std::size_t pending(HashPurpose purpose) const;
  bool HasWaiting() const;

 private:
  // The virtual start of a job, and its number, by which jobs with the same start are ordered.
  using Key = std::pair<std::uint64_t, std::uint64_t>;

  struct Waiting {
    Job job;
    Client* client = nullptr;
    Clock::time_point asked;
    std::uint64_t begun_before = 0;
  };

  struct Lane {
    std::size_t places = 0;
    std::size_t running = 0;
    std::uint64_t virtual_time = 0;  // Start of the job that began last.
    std::map<Key, Waiting> waiting;
    std::set<Key> for_spare;                        // Those that the spare thread may take.
    std::map<std::uint64_t, std::uint64_t> by_age;  // Starts by number.
  };

  Lane& LaneOf(HashPurpose purpose) { return lanes_[std::to_underlying(purpose)]; }
  const Lane& LaneOf(HashPurpose purpose) const { return lanes_[std::to_underlying(purpose)]; }
  static Waiting Take(Lane& lane, Key key);
  static void Refuse(Lane& lane, Key key, std::vector<Refused>& refused);
  void GiveBack(Client& client);
  void Displace(Lane& lane, std::vector<Refused>& refused);
  void RefuseLate(Lane& lane, Clock::time_point now, std::vector<Refused>& refused) const;
  bool HasJobFor(HashPurpose purpose, Thread thread) const;
  std::optional<HashPurpose> Choose(Thread thread) const;

  const FairQueueLimits limits_;
  std::array<Lane, kHashPurposes> lanes_;
  Networks networks_;  // Those that have places.
  std::uint64_t last_number_ = 0;
  std::uint64_t begun_ = 0;  // Number of jobs that have begun.
  HashPurpose last_started_ = HashPurpose::kRegistration;
};

}  // namespace platform::security
