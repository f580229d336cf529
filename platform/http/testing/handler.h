#pragma once

#include "platform/http/server.h"

namespace platform::http::testing {

// Returns a handler for tests of a server:
//
//   /echo          200, "<method> <path> <query> <body>" as text
//   /nothing       204
//   /later?<ms>    200 after <ms> milliseconds
//   /large?<n>     200, n bytes
//   /throw         throws std::runtime_error
//
// and 404 for any other path. `calls`, if given, counts the requests on the loop's thread.
Handler MakeHandler(int* calls = nullptr);

}  // namespace platform::http::testing
