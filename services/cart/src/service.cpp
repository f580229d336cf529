#include "services/cart/src/service.h"

#include <memory>

#include "platform/service/database.h"
#include "platform/service/rest_service.h"
#include "services/cart/src/api/routes.h"
#include "services/cart/src/app.h"

namespace cart {

using platform::service::Readiness;
using platform::service::RestService;

void Serve(const Config& config) {
  RestService<App> rest("cart", config.service, MakeRoutes(),
                        [&](const RestService<App>::Executor& executor, Readiness& readiness) {
                          return std::make_unique<App>(
                              config, readiness, executor,
                              platform::service::MakeClientOptions("cart"));
                        });
  rest.Run();
}

}  // namespace cart
