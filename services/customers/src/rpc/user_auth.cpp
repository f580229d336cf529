#include "services/customers/src/rpc/user_auth.h"

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "proto/auth.grpc.pb.h"

namespace customers {
namespace {

constexpr std::string_view kMethod = "UserAuth/ValidateToken";

::grpc::Status ToStatus(const platform::Error& error) {
  // The reference reports a refused token by this status.
  if (IsRefusal(error)) return {::grpc::StatusCode::INVALID_ARGUMENT, error.reason};
  if (error.code == platform::ErrorCode::kUnavailable) {
    return {::grpc::StatusCode::UNAVAILABLE, "Temporarily unavailable"};
  }
  return {::grpc::StatusCode::INTERNAL, "Internal error"};
}

// An open call, which is answered exactly once. If it is destroyed unanswered, because its worker
// no longer exists, it is answered with UNAVAILABLE. It counts as open for as long as it lives.
class OpenCall {
 public:
  OpenCall(::grpc::CallbackServerContext& context, AuthResponse& response,
           std::atomic<std::size_t>& open_calls)
      : context_(&context),
        response_(&response),
        open_calls_(&open_calls),
        reactor_(context.DefaultReactor()) {
    open_calls_->fetch_add(1, std::memory_order_relaxed);
  }
  OpenCall(OpenCall&& other) noexcept
      : context_(other.context_),
        response_(other.response_),
        open_calls_(other.open_calls_),
        reactor_(std::exchange(other.reactor_, nullptr)) {}
  OpenCall(const OpenCall&) = delete;
  OpenCall& operator=(const OpenCall&) = delete;
  OpenCall& operator=(OpenCall&&) = delete;
  ~OpenCall() {
    if (reactor_ != nullptr) {
      Finish(ToStatus(platform::Error::Unavailable()));
    }
  }

  ::grpc::ServerUnaryReactor* reactor() const { return reactor_; }

  // Returns whether the client no longer waits for the answer.
  bool IsCancelled() const { return context_->IsCancelled(); }

  // Returns the value of the caller's metadata; empty if there is none.
  std::string_view Metadata(std::string_view name) const {
    const auto& all = context_->client_metadata();
    const auto found = all.find({name.data(), name.size()});
    if (found == all.end()) return {};
    return {found->second.data(), found->second.size()};
  }

  void Succeed(Identity identity) {
    Payload& payload = *response_->mutable_payload();
    payload.set_user_id(identity.id);
    payload.set_email(std::move(identity.email));
    payload.set_is_admin(identity.is_admin);
    Finish(::grpc::Status::OK);
  }

  void Fail(::grpc::Status status) { Finish(std::move(status)); }

 private:
  void Finish(::grpc::Status status) {
    if (status.error_code() == ::grpc::StatusCode::UNAVAILABLE) {
      // This makes gRPC clients not repeat the call by themselves.
      context_->AddTrailingMetadata("grpc-retry-pushback-ms", "-1");
    }
    // Finish() comes last, because the call's objects and the service may be destroyed after it.
    open_calls_->fetch_sub(1, std::memory_order_relaxed);
    std::exchange(reactor_, nullptr)->Finish(std::move(status));
  }

  ::grpc::CallbackServerContext* context_;
  AuthResponse* response_;
  std::atomic<std::size_t>* open_calls_;
  ::grpc::ServerUnaryReactor* reactor_;
};

platform::Task<void> Answer(const ValidationWorker& worker, OpenCall call,
                            std::string authorization) {
  if (call.IsCancelled()) {
    call.Fail(::grpc::Status::CANCELLED);
    co_return;
  }
  // Not made within the co_await, because Clang 19 then leaks the call if the coroutine is
  // destroyed.
  std::vector<AskedToken> tokens{{.authorization = authorization,
                                  .request_id = call.Metadata("x-request-id"),
                                  .traceparent = call.Metadata("traceparent")}};
  auto verdicts = co_await Judge(worker, kMethod, std::move(tokens));
  platform::Result<Identity>& identity = verdicts.front();
  if (identity) {
    call.Succeed(*std::move(identity));
  } else {
    call.Fail(ToStatus(identity.error()));
  }
}

class UserAuthService final : public UserAuth::CallbackService {
 public:
  UserAuthService(std::vector<ValidationWorker> workers, std::size_t max_calls)
      : workers_(std::move(workers)), max_calls_(max_calls) {}

  ::grpc::ServerUnaryReactor* ValidateToken(::grpc::CallbackServerContext* context,
                                            const AuthRequest* request,
                                            AuthResponse* response) override {
    OpenCall call(*context, *response, open_calls_);
    ::grpc::ServerUnaryReactor* reactor = call.reactor();
    if (open_calls_.load(std::memory_order_relaxed) > max_calls_) {
      call.Fail({::grpc::StatusCode::RESOURCE_EXHAUSTED, "Too many open calls"});
      return reactor;
    }
    const ValidationWorker& worker =
        workers_[next_worker_.fetch_add(1, std::memory_order_relaxed) % workers_.size()];
    boost::asio::co_spawn(worker.executor,
                          Answer(worker, std::move(call), request->token().value()),
                          boost::asio::detached);
    return reactor;
  }

 private:
  const std::vector<ValidationWorker> workers_;
  const std::size_t max_calls_;
  std::atomic<std::size_t> next_worker_ = 0;
  std::atomic<std::size_t> open_calls_ = 0;
};

}  // namespace

std::unique_ptr<::grpc::Service> MakeUserAuthService(std::vector<ValidationWorker> workers,
                                                     std::size_t max_calls) {
  return std::make_unique<UserAuthService>(std::move(workers), max_calls);
}

}  // namespace customers
