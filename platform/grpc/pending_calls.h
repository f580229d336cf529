#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <memory>

namespace platform::grpc::internal {

class CallRegistry;

// A call that gRPC completes on a thread of its own while a coroutine on an execution context waits
// for it. It makes the two lifetimes independent: the context may be destroyed while gRPC is still
// at work.
class PendingCall {
 public:
  virtual ~PendingCall();
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;

  // Call it on the call's executor before `call` is handed to gRPC. From then on exactly one of
  // Resume() and Abandon() will be called, and until then the execution context has work.
  static void Track(const std::shared_ptr<PendingCall>& call);

  // Called by gRPC, on any thread, when `call` has ended.
  static void Finish(const std::shared_ptr<PendingCall>& call);

 protected:
  explicit PendingCall(const boost::asio::any_io_executor& executor);

 private:
  friend class CallRegistry;

  // Completes the wait; runs on the executor.
  virtual void Resume() = 0;
  // Ends the call and destroys the waiting coroutine, because its execution context is being
  // destroyed.
  virtual void Abandon() = 0;

  boost::asio::executor_work_guard<boost::asio::any_io_executor> work_;
  std::shared_ptr<CallRegistry> registry_;
};

}  // namespace platform::grpc::internal
