#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "platform/http/message.h"

namespace fuzz {

struct SeenResponse {
  unsigned status = 0;
  std::map<std::string, std::string, std::less<>> headers;
  std::string_view body;
};

// Returns the final responses in a server's bytes, as a strict client reads them. `requests` are
// the methods of the requests that reached the routes, in their order, because an answer to HEAD
// has no body. Checks that the responses are well formed, and that there is nothing else.
std::vector<SeenResponse> ReadResponses(std::string_view received,
                                        const std::vector<platform::http::Method>& requests);

// Checks that each request that reached the routes has exactly one response, that other input is
// refused at most once, and that nothing follows a refusal or a `Connection: close`.
void CheckConversation(const std::vector<SeenResponse>& responses, std::size_t requests);

}  // namespace fuzz
