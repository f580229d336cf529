#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "proto/customers/v1/token_validation.grpc.pb.h"
#include "services/customers/client/token_validator.h"

namespace customers::client {

// One call of ValidateTokens, from its start until gRPC has done with it: gRPC's end of the stream.
// It writes and reads on gRPC's threads, by itself; an owner on one event loop puts queries in and
// takes verdicts out, and is woken at most once for all that came since it last looked.
class TokenValidationCall final
    : public ::grpc::ClientBidiReactor<customers::v1::ValidateTokensRequest,
                                       customers::v1::ValidateTokensResponse> {
 public:
  using Stub = customers::v1::TokenValidation::StubInterface;

  struct Query {
    std::uint64_t id;
    std::string_view authorization;
    Origin origin;
  };
  struct News {
    std::vector<customers::v1::ValidateTokensResponse> verdicts;
    std::optional<::grpc::Status> end;  // Set at the end; then nothing follows.
  };

  // Starts the call. `on_news` is posted to the executor when there is something to take, and not
  // again before it has been taken. gRPC keeps the call alive until its end; `ended` is fulfilled
  // when it uses nothing of it any more, which must be before the process exits.
  static std::shared_ptr<TokenValidationCall> Start(Stub& stub,
                                                    const boost::asio::any_io_executor& executor,
                                                    std::function<void()> on_news,
                                                    std::promise<void> ended);

  // The rest is for the owner. None of it blocks.

  // Sends queries, once those before them have been written, in as many messages as their number
  // and size ask for. A call that has ended only keeps them.
  void Send(std::span<const Query> queries);

  // Takes back the ids of what has not been handed to gRPC; it will not be sent. At the call's end.
  std::vector<std::uint64_t> TakeUnsent();

  News Take();

  // Cancels the call; on_news is not posted any more, and the executor not used.
  void Abandon();

 private:
  TokenValidationCall(boost::asio::any_io_executor executor, std::function<void()> on_news,
                      std::promise<void> ended);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const ::grpc::Status& status) override;

  // These need the lock.
  void WriteNext();
  void Notify();

  ::grpc::ClientContext context_;
  const boost::asio::any_io_executor executor_;
  const std::function<void()> on_news_;
  std::promise<void> ended_;
  std::shared_ptr<TokenValidationCall> self_;       // Until OnDone().
  customers::v1::ValidateTokensResponse response_;  // Being read.

  // gRPC runs no reaction within a call that starts an operation, so that these are made with the
  // lock held: that keeps them before the removal of the hold.
  std::mutex mutex_;
  // The first one is being written, if is_writing_.
  std::deque<customers::v1::ValidateTokensRequest> outbox_;
  bool is_writing_ = false;
  bool is_open_ = true;     // Operations may still be started.
  bool is_paused_ = false;  // No read is under way, until news are taken.
  bool is_abandoned_ = false;
  bool is_notified_ = false;
  News news_;
};

}  // namespace customers::client
