#include "platform/grpc/callback_threads.h"

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>

namespace platform::grpc::internal {
namespace {

// Makes a call over a channel that connects nowhere, so that it fails at once, and blocks the
// callback's thread for ever.
std::shared_ptr<::grpc::Channel> OccupyThread() {
  auto channel = ::grpc::CreateChannel("", nullptr);
  ::grpc::GenericStub stub(channel);
  ::grpc::ClientContext context;
  const ::grpc::Slice empty;
  ::grpc::ByteBuffer request(&empty, 1);
  ::grpc::ByteBuffer response;
  std::promise<void> ended;
  stub.UnaryCall(&context, "/", {}, &request, &response, [&ended](const ::grpc::Status&) {
    ended.set_value();
    std::promise<void>().get_future().wait();
  });
  ended.get_future().wait();
  return channel;
}

}  // namespace

void PrepareCallbackThreads() {
  // Never destroyed, so that gRPC never ends its threads.
  [[maybe_unused]] static const auto& channel =
      *new const std::shared_ptr<::grpc::Channel>(OccupyThread());
}

}  // namespace platform::grpc::internal
