#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/http/message.h"

// Conditional requests (RFC 9110 section 13). See router.h for their use.
namespace platform::http {

// The entity tags of an If-Match header, each as it was sent, or "*" for any state. A part that is
// not an entity tag, and everything behind it, is left out, so it matches nothing.
using StateTags = std::vector<std::string>;

// A parameter of a handler that changes an object. If it has tags, the handler changes the object
// only in a state that one of them names; otherwise it returns kPreconditionFailed.
struct IfMatch {
  std::optional<StateTags> tags;
};

// The same for an endpoint that answers kPreconditionRequired to a request without If-Match.
struct RequiredIfMatch {
  StateTags tags;
};

// Returns the tags of all If-Match headers, or nothing if there is none.
std::optional<StateTags> ReadIfMatch(const Request& request);

// Returns the entity tag of a body: equal tags mean equal bodies, in every replica and version.
std::string TagOfBody(std::string_view body);

// Returns the Cache-Control of an answer that anybody may keep for the lifetime and then has to
// revalidate (RFC 9111 section 5.2.2).
std::string CacheControl(std::chrono::seconds lifetime);

// Turns an answer with an ETag into a 304 without a body if the client has it already. The other
// headers stay, as RFC 9110 section 15.4.5 requires.
void LeaveOutKnownBody(const Request& request, Response& response);

// Returns whether an If-None-Match header of the request names the tag, so that the client has the
// object already (RFC 9110 section 13.1.2, weak comparison).
bool IsKnownToClient(const Request& request, std::string_view tag);

}  // namespace platform::http
