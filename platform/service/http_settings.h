#pragma once

#include <cstddef>

#include "platform/config/environment.h"
#include "platform/http/server.h"

namespace platform::service {

// HTTP_*, TRUSTED_PROXIES and CORS_ORIGINS: what the HTTP server of each of `workers` is given. The
// connections of all together are bounded, so each gets an equal share of them.
http::ServerOptions ReadHttpSettings(config::Environment& environment, std::size_t workers);

}  // namespace platform::service
