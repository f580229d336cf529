#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <utility>
#include <vector>

#include "platform/postgres/client.h"
#include "platform/service/health.h"
#include "services/cart/src/config.h"
#include "services/cart/src/store/cart_store.h"
#include "services/cart/src/store/checkout_store.h"
#include "services/cart/src/store/product_store.h"
#include "services/customers/client/token_validator.h"

namespace cart {

// The objects with which the handlers of one worker work. Used only on that worker's thread.
struct App {
  App(const Config& shared_config, platform::service::Readiness& shared_readiness,
      const boost::asio::any_io_executor& executor, platform::postgres::ClientOptions options)
      : config(shared_config),
        readiness(shared_readiness),
        database(executor, shared_config.database, std::move(options)),
        validator(executor, shared_config.customers) {}

  platform::Task<std::vector<platform::service::Dependency>> CheckReadiness();
  // Reports its metrics. Any thread.
  void ReportTo(platform::telemetry::Report& report) const;

  const Config& config;
  platform::service::Readiness& readiness;
  platform::postgres::Client database;
  customers::client::TokenValidator validator;
  CartStore carts{database};
  CheckoutStore checkouts{database};
  ProductStore products{database};
};

}  // namespace cart
