#include "services/cart/src/service.h"

#include <fmt/core.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "platform/http/server.h"
#include "platform/log/log.h"
#include "platform/service/database.h"
#include "platform/service/workers.h"
#include "services/cart/src/api/routes.h"
#include "services/cart/src/app.h"
#include "services/cart/src/clients/customers_client.h"

namespace cart {

int Serve(const Config& config) {
  const std::size_t worker_count = config.service.workers;
  auto listeners =
      platform::http::Listener::Open(config.service.address, config.service.port, worker_count);
  if (!listeners) {
    fmt::print(stderr, "cart: {}\n", listeners.error());
    return 1;
  }
  const std::uint16_t port = listeners->front().port();

  platform::service::Workers workers(worker_count);
  platform::service::Readiness readiness(worker_count);
  const Routes routes = MakeRoutes();
  std::vector<std::unique_ptr<App>> apps;
  std::vector<std::unique_ptr<platform::http::Server>> servers;
  for (std::size_t i = 0; i < worker_count; ++i) {
    apps.push_back(std::make_unique<App>(
        readiness, workers.executor(i), config.database,
        platform::service::MakeClientOptions("cart"),
        MakeTokenValidator(workers.executor(i), {.stream = {.customers = config.customers}})));
    App& app = *apps.back();
    boost::asio::co_spawn(workers.executor(i), platform::service::WatchReadiness(app, readiness, i),
                          boost::asio::detached);
    servers.push_back(std::make_unique<platform::http::Server>(
        workers.executor(i), std::move((*listeners)[i]),
        [&](const platform::http::Request& request) { return routes.Dispatch(app, request); },
        config.service.http));
  }

  platform::log::Info("listening",
                      {{"protocol", "http"}, {"address", config.service.address}, {"port", port}});
  workers.RunUntilSignal([&](std::size_t worker) {
    readiness.Stop();
    return servers[worker]->Stop(config.service.shutdown_grace);
  });
  platform::log::Info("stopped");
  return 0;
}

}  // namespace cart
