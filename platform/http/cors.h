#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/http/message.h"

namespace platform::http {

// Which pages of other origins a browser lets read the answers (CORS, as the Fetch standard has
// it). It keeps nobody out: who may do what is the token's business, and tokens travel in a header
// that no browser sends by itself. So there is no Access-Control-Allow-Credentials.
class CorsPolicy {
 public:
  // Off: nothing is said, and browsers let no other origin in.
  CorsPolicy() = default;

  // Origins as browsers send them, "https://shop.example" or "http://localhost:3000", separated by
  // commas or white space; off if there are none. Each is named in full, so "*" is none. The error
  // names the part that is none.
  static std::expected<CorsPolicy, std::string> Parse(std::string_view origins);

  // Adds to the answer to a request what it tells browsers. An answer to OPTIONS with an `Allow`
  // becomes the answer to a preflight, where the request is one.
  void AddHeaders(Method method, std::span<const HeaderField> headers, Response& response) const;

 private:
  std::vector<std::string> origins_;
};

}  // namespace platform::http
