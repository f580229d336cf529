#include "platform/grpc/header_list.h"

#include "platform/grpc/wire.h"

namespace platform::grpc::internal {
namespace {

// nghttp2 does not change the texts.
std::uint8_t* Bytes(std::string_view text) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast,cppcoreguidelines-pro-type-const-cast)
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

}  // namespace

void HeaderList::Add(std::string_view name, std::string_view value) {
  headers_.push_back({.name = Bytes(name),
                      .value = Bytes(value),
                      .namelen = name.size(),
                      .valuelen = value.size(),
                      .flags = NGHTTP2_NV_FLAG_NONE});
}

void HeaderList::AddStatus(const Status& status) {
  code_ = std::to_string(static_cast<int>(status.code));
  Add("grpc-status", code_);
  if (status.message.empty()) return;
  message_ = EncodeStatusMessage(status.message);
  Add("grpc-message", message_);
}

}  // namespace platform::grpc::internal
