#include "platform/http/testing/handler.h"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <stdexcept>
#include <string>

namespace platform::http::testing {
namespace {

namespace asio = boost::asio;

Task<Response> Answer(const Request& request) {
  if (request.path == "/echo") {
    co_return Response{.body = fmt::format("{} {} {} {}", Name(request.method), request.path,
                                           request.query, request.body),
                       .content_type = "text/plain"};
  }
  if (request.path == "/nothing") co_return Response{.status = 204};
  if (request.path == "/later") {
    asio::steady_timer timer(co_await asio::this_coro::executor,
                             std::chrono::milliseconds(std::stoi(std::string(request.query))));
    co_await timer.async_wait(asio::use_awaitable);
    co_return Response{.body = "late"};
  }
  if (request.path == "/large") {
    co_return Response{.body = std::string(std::stoul(std::string(request.query)), 'x')};
  }
  if (request.path == "/throw") throw std::runtime_error("as asked");
  co_return ToResponse(Error::NotFound());
}

}  // namespace

Handler MakeHandler(int* calls) {
  return [calls](const Request& request) {
    if (calls != nullptr) ++*calls;
    return Answer(request);
  };
}

}  // namespace platform::http::testing
