#pragma once

#include "platform/http/server.h"

namespace platform::http::testing {

// A handler to test a server with:
//
//   /echo          200, "<method> <path> <query> <body>" as text
//   /nothing       204
//   /later?<ms>    200 after so many milliseconds
//   /large?<n>     200, n bytes
//   /throw         throws std::runtime_error
//
// and 404 for anything else. `calls`, where given, counts them on the loop's thread.
Handler MakeHandler(int* calls = nullptr);

}  // namespace platform::http::testing
