#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/grpc/status.h"

namespace platform::grpc::internal {

// Maximum size of the headers of a request or a response, as HTTP/2 counts them.
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{16} << 10;

// Headers in the form in which nghttp2 takes them. nghttp2 copies the texts, which must live until
// it has.
class HeaderList {
 public:
  HeaderList() { headers_.reserve(8); }
  HeaderList(std::initializer_list<std::pair<std::string_view, std::string_view>> headers)
      : HeaderList() {
    for (const auto& [name, value] : headers) Add(name, value);
  }

  void Add(std::string_view name, std::string_view value);
  // Adds the headers `grpc-status` and `grpc-message`.
  void AddStatus(const Status& status);

  const nghttp2_nv* data() const { return headers_.data(); }
  std::size_t size() const { return headers_.size(); }

 private:
  std::vector<nghttp2_nv> headers_;
  std::string code_;
  std::string message_;
};

}  // namespace platform::grpc::internal
