#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <utility>
#include <vector>

#include "platform/postgres/client.h"
#include "platform/service/health.h"
#include "services/cart/src/store/cart_store.h"
#include "services/cart/src/store/product_store.h"
#include "services/customers/client/token_validator.h"

namespace cart {

// The objects with which the handlers of one worker work. Used only on that worker's thread.
struct App {
  App(platform::service::Readiness& shared_readiness, const boost::asio::any_io_executor& executor,
      platform::postgres::Settings settings, platform::postgres::ClientOptions options,
      customers::client::TokenValidatorOptions validator_options)
      : readiness(shared_readiness),
        database(executor, std::move(settings), std::move(options)),
        validator(executor, std::move(validator_options)) {}

  platform::Task<std::vector<platform::service::Dependency>> CheckReadiness();
  // Reports its metrics. Any thread.
  void ReportTo(platform::telemetry::Report& report) const;

  platform::service::Readiness& readiness;
  platform::postgres::Client database;
  customers::client::TokenValidator validator;
  CartStore carts{database};
  ProductStore products{database};
};

}  // namespace cart
