#pragma once

#include <boost/asio/awaitable.hpp>

namespace platform {

// A coroutine that runs on one worker's event loop. It starts when it is awaited.
template <class T>
using Task = boost::asio::awaitable<T>;

}  // namespace platform
