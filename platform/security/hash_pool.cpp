#include "platform/security/hash_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

namespace platform::security {

namespace asio = boost::asio;

namespace {

using Clock = FairQueue::Clock;

// The nice value of all threads but the spare one. While these keep all cores busy, the spare one
// gets two thirds of a core if there is one core, and nearly a whole one if there are more. A
// higher value would let other programs on the machine starve them.
constexpr int kNice = 3;

constexpr std::array kPurposes{HashPurpose::kLogin, HashPurpose::kRegistration};

std::string_view NameOf(HashPurpose purpose) {
  return purpose == HashPurpose::kLogin ? "login" : "registration";
}

// Wipes a text when the coroutine that holds it ends, also by an exception.
class WipeAtEnd {
 public:
  explicit WipeAtEnd(std::string& text) : text_(text) {}
  ~WipeAtEnd() { Wipe(text_); }
  WipeAtEnd(const WipeAtEnd&) = delete;
  WipeAtEnd& operator=(const WipeAtEnd&) = delete;

 private:
  std::string& text_;
};

constexpr telemetry::Metric kPending{"password_hash_pool_pending",
                                     "Passwords being hashed, or waiting for it."};
constexpr telemetry::Metric kPlaces{
    "password_hash_pool_places",
    "Requests that have a place in the pool, in which they may hash passwords."};
constexpr telemetry::Metric kLimit{"password_hash_pool_limit",
                                   "Maximum number of places; one more request is refused."};
constexpr telemetry::Metric kRefused{
    "password_hash_pool_refused_total",
    "Requests refused because their client or all clients together had too many places, or because "
    "they waited for too long."};
constexpr telemetry::Metric kWait{"password_hash_wait_seconds",
                                  "Time that a password waited for a thread."};
constexpr telemetry::Metric kAhead{"password_hash_jobs_ahead",
                                   "Passwords whose hashing began while another one waited."};
constexpr telemetry::Metric kDuration{"password_hash_duration_seconds",
                                      "Time to hash or verify a password, without waiting."};

}  // namespace

struct HashPool::State {
  struct Refused {
    telemetry::Counter client;
    telemetry::Counter full;
    telemetry::Counter late;
  };

  explicit State(const HashPoolOptions& options)
      : form(options.form),
        limit(options.places),
        queue({.places = options.places,
               .places_of_client = options.places_of_client,
               .registrations_at_once = std::max(1UZ, (options.threads + 1) / 2),
               .longest_wait = options.longest_wait}) {}

  // Runs jobs until the pool stops.
  void Work(FairQueue::Thread thread);
  void Add(FairQueue::Client& client, FairQueue::Job job);
  Refused& RefusedOf(HashPurpose purpose) { return refused[std::to_underlying(purpose)]; }

  const HashForm form;
  const std::size_t limit;
  std::array<Refused, kHashPurposes> refused;
  std::array<telemetry::Histogram, kHashPurposes> waits;
  std::array<telemetry::Histogram, kHashPurposes> ahead{telemetry::Histogram(telemetry::kSizes),
                                                        telemetry::Histogram(telemetry::kSizes)};
  telemetry::Histogram durations;

  mutable std::mutex mutex;  // Protects the members below.
  std::condition_variable for_usual;
  std::condition_variable for_spare;
  FairQueue queue;
  bool is_spare_idle = false;  // It waits, and has not been notified.
  bool is_stopping = false;
};

void HashPool::State::Work(FairQueue::Thread thread) {
  const bool is_spare = thread == FairQueue::Thread::kSpare;
  // Linux has a nice value for each thread.
  if (!is_spare) setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  std::unique_lock lock(mutex);
  while (!is_stopping) {
    std::vector<FairQueue::Refused> late;
    std::optional<FairQueue::Started> next = queue.Next(thread, Clock::now(), late);
    if (!next && late.empty()) {
      is_spare_idle = is_spare_idle || is_spare;
      (is_spare ? for_spare : for_usual).wait(lock);
      continue;
    }
    lock.unlock();
    for (FairQueue::Refused& refusal : late) {
      RefusedOf(refusal.purpose).late.Add();
      refusal.job.finish();
    }
    if (next) {
      const auto begun = Clock::now();
      waits[std::to_underlying(next->purpose)].Observe(begun - next->asked);
      ahead[std::to_underlying(next->purpose)].Observe(next->ahead);
      next->job.run();
      durations.Observe(Clock::now() - begun);
    }
    lock.lock();
    if (!next) continue;
    queue.End(next->purpose);
    // The end of a registration may let another one begin, on a thread that waits.
    if (queue.HasWaiting()) for_usual.notify_one();
    lock.unlock();
    next->job.finish();
    lock.lock();
  }
}

void HashPool::State::Add(FairQueue::Client& client, FairQueue::Job job) {
  {
    const std::scoped_lock lock(mutex);
    if (!is_stopping) {
      const bool suits_spare = queue.Push(client, std::move(job), Clock::now());
      if (suits_spare && std::exchange(is_spare_idle, false)) {
        for_spare.notify_one();
      } else {
        for_usual.notify_one();
      }
      return;
    }
  }
  job.finish();
}

HashPool::Place::Place(std::shared_ptr<State> state, std::unique_ptr<FairQueue::Client> client)
    : state_(std::move(state)), client_(std::move(client)) {}

HashPool::Place::~Place() {
  if (!client_) return;
  const std::scoped_lock lock(state_->mutex);
  state_->queue.Leave(*client_);
}

// Runs `function` on the pool. It may refer to the caller's coroutine frame, because the handler
// keeps the frame alive until the job has ended.
template <class T, class Function>
Task<Result<T>> HashPool::Place::Run(Function function) {
  Result<T> result = std::unexpected(Error::Unavailable());
  std::exception_ptr failure;
  auto start = [&](auto handler) {
    auto home = asio::make_work_guard(asio::get_associated_executor(handler));
    state_->Add(*client_, {.run =
                               [&] {
                                 try {
                                   result = function();
                                 } catch (...) {
                                   failure = std::current_exception();
                                 }
                               },
                           .finish =
                               [handler = std::move(handler), home = std::move(home)] mutable {
                                 const auto executor = home.get_executor();
                                 asio::post(executor, std::move(handler));
                               }});
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(std::move(start),
                                                                        asio::use_awaitable);
  if (failure) std::rethrow_exception(failure);
  co_return result;
}

Task<Result<std::string>> HashPool::Place::Hash(std::string password) {
  const WipeAtEnd wipe(password);
  co_return co_await Run<std::string>([&] { return HashPassword(password, state_->form); });
}

Task<Result<Verification>> HashPool::Place::Verify(std::string hash, std::string password,
                                                   RefusalTime refusal) {
  const WipeAtEnd wipe(password);
  co_return co_await Run<Verification>(
      [&] { return VerifyPassword(hash, password, refusal, state_->form); });
}

HashPool::HashPool(const HashPoolOptions& options) : state_(std::make_shared<State>(options)) {
  threads_.emplace_back([this] { state_->Work(FairQueue::Thread::kSpare); });
  for (std::size_t i = 0; i < options.threads; ++i) {
    threads_.emplace_back([this] { state_->Work(FairQueue::Thread::kUsual); });
  }
}

HashPool::~HashPool() {
  std::vector<FairQueue::Refused> waiting;
  {
    const std::scoped_lock lock(state_->mutex);
    state_->is_stopping = true;
    waiting = state_->queue.Clear();
  }
  state_->for_usual.notify_all();
  state_->for_spare.notify_all();
  for (FairQueue::Refused& refusal : waiting) refusal.job.finish();
  threads_.clear();
}

Result<HashPool::Place> HashPool::Enter(HashPurpose purpose,
                                        const std::vector<ClientNetwork>& networks) {
  std::vector<FairQueue::Refused> displaced;
  std::unique_lock lock(state_->mutex);
  auto client = state_->queue.Enter(purpose, networks, displaced);
  lock.unlock();
  for (FairQueue::Refused& refusal : displaced) {
    state_->RefusedOf(refusal.purpose).full.Add();
    refusal.job.finish();
  }
  if (client) return Place(state_, *std::move(client));
  State::Refused& refused = state_->RefusedOf(purpose);
  (client.error() == FairQueue::Refusal::kClientLimit ? refused.client : refused.full).Add();
  return std::unexpected(Error::Unavailable());
}

std::size_t HashPool::Pending() const {
  const std::scoped_lock lock(state_->mutex);
  std::size_t pending = 0;
  for (const HashPurpose purpose : kPurposes) pending += state_->queue.pending(purpose);
  return pending;
}

void HashPool::ReportTo(telemetry::Report& report) const {
  for (const HashPurpose purpose : kPurposes) {
    const telemetry::Label label{"purpose", NameOf(purpose)};
    std::unique_lock lock(state_->mutex);
    const auto pending = static_cast<double>(state_->queue.pending(purpose));
    const auto places = static_cast<double>(state_->queue.places(purpose));
    lock.unlock();
    report.AddGauge(kPending, {label}, pending);
    report.AddGauge(kPlaces, {label}, places);
    report.AddGauge(kLimit, {label}, static_cast<double>(state_->limit));
    const State::Refused& refused = state_->RefusedOf(purpose);
    report.AddCounter(kRefused, {label, {"reason", "client"}}, refused.client);
    report.AddCounter(kRefused, {label, {"reason", "full"}}, refused.full);
    report.AddCounter(kRefused, {label, {"reason", "late"}}, refused.late);
    report.AddHistogram(kAhead, {label}, state_->ahead[std::to_underlying(purpose)]);
    report.AddHistogram(kWait, {label}, state_->waits[std::to_underlying(purpose)]);
  }
  report.AddHistogram(kDuration, {}, state_->durations);
}

}  // namespace platform::security
