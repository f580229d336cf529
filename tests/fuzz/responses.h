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

// The final responses in what a server sent, as a strict client reads them. `requests` are the
// methods of those that reached the routes, in their order: an answer to HEAD has no body. Checks
// that they are well formed, and that there is nothing else.
std::vector<SeenResponse> ReadResponses(std::string_view received,
                                        const std::vector<platform::http::Method>& requests);

// Checks that each request that reached the routes has exactly one response, that what did not is
// refused once at most, and that nothing follows a refusal or a `Connection: close`.
void CheckConversation(const std::vector<SeenResponse>& responses, std::size_t requests);

}  // namespace fuzz
