#include "platform/grpc/callback_threads.h"

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>

namespace platform::grpc::internal {
namespace {

// A channel that connects nowhere, after a call that its own end answers.
std::shared_ptr<::grpc::Channel> MakeUserOfCallbacks() {
  auto channel = ::grpc::CreateChannel("", nullptr);
  ::grpc::GenericStub stub(channel);
  ::grpc::ClientContext context;
  const ::grpc::Slice empty;
  ::grpc::ByteBuffer request(&empty, 1);
  ::grpc::ByteBuffer response;
  std::promise<void> ended;
  stub.UnaryCall(&context, "/", {}, &request, &response,
                 [&ended](const ::grpc::Status&) { ended.set_value(); });
  ended.get_future().wait();
  return channel;
}

}  // namespace

void KeepCallbackThreads() {
  // Never destroyed.
  [[maybe_unused]] static const auto& user =
      *new const std::shared_ptr<::grpc::Channel>(MakeUserOfCallbacks());
}

}  // namespace platform::grpc::internal
