// Measures the steps from the bytes of a request to its route.

#include <benchmark/benchmark.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <string>
#include <string_view>

#include "platform/http/request_head.h"
#include "platform/http/route_table.h"

namespace {

using namespace platform::http;

// A request like those of a browser behind a proxy.
const std::string kRequest =
    "GET /api/v1/cart/4321/ HTTP/1.1\r\n"
    "Host: shop.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: application/json\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "X-Forwarded-For: 203.0.113.7\r\n"
    "X-Request-ID: 0123456789abcdef0123456789abcdef\r\n"
    "Authorization: Bearer " +
    std::string(180, 'x') + "\r\n\r\n";

void ScanHead(benchmark::State& state) {
  for (auto _ : state) {
    HeadScanner scanner;
    benchmark::DoNotOptimize(scanner.Scan(kRequest));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kRequest.size()));
}
BENCHMARK(ScanHead);

void ParseHeadWithBeast(benchmark::State& state) {
  for (auto _ : state) {
    boost::beast::http::request_parser<boost::beast::http::string_body> parser;
    parser.eager(true);
    boost::beast::error_code error;
    benchmark::DoNotOptimize(parser.put(boost::asio::buffer(kRequest), error));
  }
}
BENCHMARK(ParseHeadWithBeast);

void CheckFramingOfGet(benchmark::State& state) {
  const std::array<HeaderField, 6> headers{{{"Host", "shop.example.com"},
                                            {"User-Agent", "Mozilla/5.0"},
                                            {"Accept", "application/json"},
                                            {"X-Forwarded-For", "203.0.113.7"},
                                            {"X-Request-ID", "0123456789abcdef0123456789abcdef"},
                                            {"Authorization", "Bearer x"}}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(IsOriginForm("/api/v1/cart/4321/"));
    benchmark::DoNotOptimize(CheckFraming(11, headers));
  }
}
BENCHMARK(CheckFramingOfGet);

void FindRoute(benchmark::State& state) {
  RouteTable routes;
  for (const char* pattern : {"/healthz", "/readyz", "/metrics", "/api/v1/docs/",
                              "/api/v1/docs/swagger.json", "/api/v1/products/list/"}) {
    routes.Add({.method = Method::kGet, .pattern = pattern});
  }
  routes.Add({.method = Method::kGet, .pattern = "/api/v1/cart/{user_id}/"});
  routes.Add({.method = Method::kDelete, .pattern = "/api/v1/cart/{user_id}/"});
  routes.Add({.method = Method::kPost, .pattern = "/api/v1/cart-item/{cart_id}/create"});
  routes.Add({.method = Method::kPatch, .pattern = "/api/v1/cart-item/{item_id}/"});
  routes.Add({.method = Method::kDelete, .pattern = "/api/v1/cart-item/{item_id}/"});
  for (auto _ : state) {
    benchmark::DoNotOptimize(routes.Find(Method::kDelete, "/api/v1/cart-item/4321/"));
  }
}
BENCHMARK(FindRoute);

}  // namespace
