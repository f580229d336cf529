// bench_statements: prints the SQL of the services, so that a yardstick runs the very same
// statements in sessions with the same settings. A JSON object: {"session_options": "…", "stores":
// {"cart":
// {"read_cart": {"sql": "…", "planned_each_call": false, "keys": 1}, …}, …}}.

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <vector>

#include "platform/postgres/session.h"
#include "platform/postgres/statement.h"
#include "services/cart/src/store/cart_store.h"
#include "services/cart/src/store/checkout_store.h"
#include "services/cart/src/store/product_store.h"
#include "services/customers/src/store/user_store.h"

namespace {

namespace json = boost::json;
namespace postgres = platform::postgres;

json::object ToJson(const std::vector<postgres::StatementText>& statements) {
  json::object by_name;
  for (const postgres::StatementText& statement : statements) {
    by_name[statement.name] = {
        {"sql", statement.sql},
        {"planned_each_call", statement.planning == postgres::Planning::kEachCall},
        {"keys", statement.keys}};
  }
  return by_name;
}

}  // namespace

int main() {
  const json::object stores{{"cart", ToJson(cart::CartStore::Statements())},
                            {"checkouts", ToJson(cart::CheckoutStore::Statements())},
                            {"customers", ToJson(customers::UserStore::Statements())},
                            {"products", ToJson(cart::ProductStore::Statements())}};
  std::cout << json::serialize(json::object{
                   {"session_options", postgres::internal::kSessionOptions}, {"stores", stores}})
            << '\n';
  return 0;
}
