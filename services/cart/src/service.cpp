#include "services/cart/src/service.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "platform/service/database.h"
#include "platform/service/rest_service.h"
#include "platform/service/sweep.h"
#include "services/cart/src/api/routes.h"
#include "services/cart/src/app.h"
#include "services/cart/src/erasure.h"

namespace cart {

using platform::Result;
using platform::Task;
using platform::service::Readiness;
using platform::service::RestService;

namespace {

// The pause after the sweep of old carts has looked at all carts.
constexpr std::chrono::minutes kSweepRest{60};

}  // namespace

void Serve(const Config& config) {
  RestService<App> rest("cart", config.service, MakeRoutes(),
                        [&](const RestService<App>::Executor& executor, Readiness& readiness) {
                          return std::make_unique<App>(
                              config, readiness, executor,
                              platform::service::MakeClientOptions("cart"));
                        });
  if (config.cart_expiry_days > 0) {
    boost::asio::co_spawn(
        rest.executor(0),
        platform::service::SweepForEver(
            "old carts", kSweepRest,
            [&carts = rest.app(0).carts, &config, last = CartId()] mutable -> Task<Result<bool>> {
              ASSIGN_OR_CO_RETURN(const std::optional<CartId> reached,
                                  co_await carts.Expire(last, config.cart_expiry_days));
              last = reached.value_or(CartId());
              co_return reached.has_value();
            }),
        boost::asio::detached);
  }

  Erasure erasure(rest.app(0).database,
                  {.replicas = config.customers.replicas, .tls = config.customers.tls});
  boost::asio::co_spawn(rest.executor(0), erasure.Run(), boost::asio::detached);

  rest.Run([&](platform::telemetry::Report& report) { erasure.ReportTo(report); },
           [&](std::chrono::milliseconds) {
             boost::asio::co_spawn(rest.executor(0), erasure.Stop(), boost::asio::use_future).get();
           });
}

}  // namespace cart
