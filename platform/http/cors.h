#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/http/message.h"

namespace platform::http {

// Names the origins whose pages a browser lets read the answers (CORS, in the Fetch standard). It
// is not access control: tokens decide about permissions, and they travel in a header that no
// browser sends by itself. So Access-Control-Allow-Credentials is never sent.
class CorsPolicy {
 public:
  // Off: sends no CORS headers, so browsers let no other origin read answers.
  CorsPolicy() = default;

  // Parses origins as browsers send them, such as "https://shop.example" or
  // "http://localhost:3000", separated by commas or white space. The policy is off if there are
  // none. Each origin is named in full, so "*" is an error. The error is the part that is not an
  // origin.
  static std::expected<CorsPolicy, std::string> Parse(std::string_view origins);

  // Adds the CORS headers to the answer to a request. If the request is a preflight, an answer to
  // OPTIONS with an `Allow` becomes the answer to the preflight.
  void AddHeaders(Method method, std::span<const HeaderField> headers, Response& response) const;

 private:
  std::vector<std::string> origins_;
};

}  // namespace platform::http
