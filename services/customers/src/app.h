#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "platform/postgres/client.h"
#include "platform/security/hash_pool.h"
#include "platform/security/jwt.h"
#include "platform/security/refusal_limit.h"
#include "platform/service/health.h"
#include "services/customers/src/api/guess_metrics.h"
#include "services/customers/src/auth/authenticator.h"
#include "services/customers/src/config.h"
#include "services/customers/src/store/deletion_store.h"
#include "services/customers/src/store/login_throttle.h"
#include "services/customers/src/store/recovery_store.h"
#include "services/customers/src/store/session_store.h"
#include "services/customers/src/store/user_store.h"

namespace customers {

// The objects with which the handlers of one worker work. Used only on that worker's thread. The
// objects to which it refers are shared by all workers.
struct App {
  App(const Config& shared_config, std::shared_ptr<platform::security::HashPool> shared_hashes,
      platform::security::RefusalLimit& shared_refusals,
      const platform::security::TokenCodec& shared_tokens,
      platform::service::Readiness& shared_readiness, const boost::asio::any_io_executor& executor,
      platform::postgres::ClientOptions options)
      : config(shared_config),
        hashes(std::move(shared_hashes)),
        refusals(shared_refusals),
        tokens(shared_tokens),
        readiness(shared_readiness),
        database(executor, shared_config.database, std::move(options)) {}

  platform::Task<std::vector<platform::service::Dependency>> CheckReadiness();
  // Reports its metrics. Any thread.
  void ReportTo(platform::telemetry::Report& report) const;

  const Config& config;
  // Owned by all Apps together, so that its destructor ends the last job before the event loops,
  // which the jobs post to, are destroyed.
  const std::shared_ptr<platform::security::HashPool> hashes;
  // Requests with passwords that the hash pool or the throttle has refused.
  platform::security::RefusalLimit& refusals;
  const platform::security::TokenCodec& tokens;
  platform::service::Readiness& readiness;
  platform::postgres::Client database;
  UserStore users{database};
  SessionStore sessions{database};
  DeletionStore deletions{database};
  RecoveryStore recovery{database};
  LoginThrottle throttle{database, config.throttle};
  Authenticator authenticator{tokens, users};
  GuessMetrics guesses;
  std::size_t delayed_refusals = 0;  // See EnterHashPool.
  std::chrono::steady_clock::time_point next_session_warning{};
};

}  // namespace customers
