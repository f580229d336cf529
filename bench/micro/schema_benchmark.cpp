// Measures parsing bodies into structs of valid values, and writing structs as bodies.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "platform/schema/parse.h"
#include "platform/schema/write.h"
#include "services/cart/src/domain/cart.h"
#include "services/customers/src/domain/user.h"

namespace {

using platform::schema::Parse;
using platform::schema::Source;

void ParseNewItem(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        Parse<cart::NewItem>(R"({"product_id": 917, "quantity": 3})", Source::kBody));
  }
}
BENCHMARK(ParseNewItem);

constexpr const char* kNewUser =
    R"({"email": "ada.lovelace@example.com", "password": "testPass123", "first_name": "Ada",)"
    R"( "last_name": "Lovelace", "is_admin": false})";

void ParseNewUser(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(Parse<customers::NewUser>(kNewUser, Source::kBody));
  }
}
BENCHMARK(ParseNewUser);

void RefuseNewUser(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(Parse<customers::NewUser>(
        R"({"email": "nobody", "password": "short", "is_admin": 7, "more": 1})", Source::kBody));
  }
}
BENCHMARK(RefuseNewUser);

void CheckEmail(benchmark::State& state, const std::string& email) {
  for (auto _ : state) benchmark::DoNotOptimize(customers::Email::Parse(email));
}
BENCHMARK_CAPTURE(CheckEmail, ascii, "ada.lovelace@mail.example.com");
BENCHMARK_CAPTURE(CheckEmail, unicode, "ada@b\u00fccher.example");

void WriteCart(benchmark::State& state) {
  cart::Cart filled{.user_id = cart::CartId::Unchecked(4321),
                    .total_price = cart::Money::Unchecked("1234.50")};
  for (std::int32_t id = 1; id <= state.range(0); ++id) {
    filled.cart_items.push_back({.id = cart::CartItemId::Unchecked(21'600 + id),
                                 .created = platform::schema::Timestamp(
                                     std::chrono::microseconds(1'795'000'000'123'456 + id)),
                                 .cart_id = cart::CartId::Unchecked(4321),
                                 .product_id = cart::ProductId::Unchecked(id),
                                 .quantity = cart::Quantity::Unchecked(3)});
  }
  for (auto _ : state) {
    std::string body;
    platform::schema::Write(filled, body);
    benchmark::DoNotOptimize(body);
  }
}
BENCHMARK(WriteCart)->Arg(5)->Arg(500);

}  // namespace
