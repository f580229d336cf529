#include "platform/grpc/pending_calls.h"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <mutex>
#include <unordered_set>
#include <utility>

namespace platform::grpc::internal {

// The open calls of one execution context. The registry outlives the context, because late
// callbacks of gRPC look up here whether their call still waits.
class CallRegistry {
 public:
  void Add(const std::shared_ptr<PendingCall>& call) {
    const std::scoped_lock lock(mutex_);
    calls_.insert(call);
  }

  // Queues the resumption, unless the call was abandoned. Holding the lock keeps the context from
  // being destroyed meanwhile.
  void Finish(const std::shared_ptr<PendingCall>& call) {
    const std::scoped_lock lock(mutex_);
    if (calls_.erase(call) == 0) {
      return;
    }
    boost::asio::post(call->work_.get_executor(), Resumption(call));
  }

  // The lock is not held here, because destroying a coroutine may run arbitrary code.
  void AbandonAll() {
    std::unique_lock lock(mutex_);
    const auto calls = std::exchange(calls_, {});
    lock.unlock();
    for (const auto& call : calls) {
      call->Abandon();
      call->work_.reset();
    }
  }

 private:
  // Resumes the call, or abandons it if the context is destroyed first: gRPC may hold the call for
  // a moment longer, and the context's coroutines must not outlive the context.
  class Resumption {
   public:
    explicit Resumption(std::shared_ptr<PendingCall> call) : call_(std::move(call)) {}
    Resumption(Resumption&&) = default;
    Resumption(const Resumption&) = delete;
    Resumption& operator=(const Resumption&) = delete;
    Resumption& operator=(Resumption&&) = delete;
    ~Resumption() {
      if (call_ == nullptr) return;
      call_->Abandon();
      call_->work_.reset();
    }

    void operator()() {
      const std::shared_ptr<PendingCall> call = std::exchange(call_, nullptr);
      call->work_.reset();
      call->Resume();
    }

   private:
    std::shared_ptr<PendingCall> call_;
  };

  std::mutex mutex_;
  std::unordered_set<std::shared_ptr<PendingCall>> calls_;
};

namespace {

// Is notified when its execution context is destroyed.
class CallService final : public boost::asio::execution_context::service {
 public:
  // The name is required by Asio's service concept.
  inline static boost::asio::execution_context::id id;

  explicit CallService(boost::asio::execution_context& context) : service(context) {}

  const std::shared_ptr<CallRegistry>& registry() const { return registry_; }

 private:
  void shutdown() override { registry_->AbandonAll(); }

  std::shared_ptr<CallRegistry> registry_ = std::make_shared<CallRegistry>();
};

}  // namespace

PendingCall::PendingCall(const boost::asio::any_io_executor& executor)
    : work_(executor),
      registry_(boost::asio::use_service<CallService>(
                    boost::asio::query(executor, boost::asio::execution::context))
                    .registry()) {}

PendingCall::~PendingCall() = default;

void PendingCall::Track(const std::shared_ptr<PendingCall>& call) { call->registry_->Add(call); }

void PendingCall::Finish(const std::shared_ptr<PendingCall>& call) {
  call->registry_->Finish(call);
}

}  // namespace platform::grpc::internal
