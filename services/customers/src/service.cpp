#include "services/customers/src/service.h"

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "platform/grpc/server.h"
#include "platform/service/database.h"
#include "platform/service/rest_service.h"
#include "platform/service/sweep.h"
#include "services/customers/src/api/routes.h"
#include "services/customers/src/app.h"
#include "services/customers/src/domain/password.h"
#include "services/customers/src/rpc/token_validation.h"
#include "services/customers/src/rpc/user_auth.h"
#include "services/customers/src/rpc/user_deletions.h"

namespace customers {

using platform::service::Readiness;
using platform::service::RestService;

namespace {

// Places in the hash pool for each core: for logins, and as many for registrations; and the part of
// them that one client may have. The pool bounds the waiting time too, because an argon2id hash
// takes about twenty milliseconds, but one of the reference's hashes takes ten times as long.
constexpr std::size_t kHashPlacesPerCore = 64;
constexpr std::size_t kHashPlacesOfClientPerCore = 32;

// Refused requests with passwords that weigh as much as one wrong password.
constexpr std::size_t kRefusalsPerFailure = 10;

// Replicas of the previous version do not support sessions, and connect as "customers". While one
// of them is connected, a login begins no session; see V009__keep_sessions.up.sql.
constexpr const char* kApplicationName = "customers with sessions";

// The pause after all expired sessions have been removed.
constexpr std::chrono::minutes kSweepRest{1};

std::shared_ptr<platform::security::HashPool> MakeHashPool(platform::security::HashForm form) {
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  return std::make_shared<platform::security::HashPool>(
      platform::security::HashPoolOptions{.threads = cores,
                                          .places = cores * kHashPlacesPerCore,
                                          .places_of_client = cores * kHashPlacesOfClientPerCore,
                                          .form = form});
}

// The methods of gRPC. Each call is served by the app of its worker.
std::vector<platform::grpc::Method> MakeMethods(RestService<App>& rest) {
  std::vector<ValidationWorker> workers;
  std::vector<ReadDeletions> feeds;
  for (std::size_t i = 0; i < rest.worker_count(); ++i) {
    App& app = rest.app(i);
    workers.push_back({.executor = rest.executor(i),
                       .validate =
                           [&app](std::vector<std::string_view> authorizations) {
                             return app.authenticator.Validate(std::move(authorizations));
                           },
                       .tracer = rest.tracer()});
    feeds.emplace_back([&app](std::int64_t after) { return app.deletions.ReadAfter(after); });
  }
  std::vector<platform::grpc::Method> methods;
  methods.push_back(ValidateTokenMethod(workers));
  methods.push_back(ValidateTokensMethod(workers));
  methods.push_back(StreamDeletionsMethod(feeds));
  return methods;
}

std::vector<boost::asio::any_io_executor> ExecutorsOf(RestService<App>& rest) {
  std::vector<boost::asio::any_io_executor> executors;
  for (std::size_t i = 0; i < rest.worker_count(); ++i) executors.emplace_back(rest.executor(i));
  return executors;
}

}  // namespace

void Serve(const Config& config) {
  NewPassword::SetMinLength(static_cast<std::size_t>(config.password_min_length));
  const platform::security::TokenCodec tokens(TokenSecrets(config));
  platform::security::RefusalLimit refusals(
      kRefusalsPerFailure * static_cast<std::size_t>(config.throttle.per_address),
      config.throttle.window);
  RestService<App> rest("customers", config.service, MakeRoutes(),
                        [&, hashes = MakeHashPool(config.hash_form)](
                            const RestService<App>::Executor& executor, Readiness& readiness) {
                          return std::make_unique<App>(
                              config, hashes, refusals, tokens, readiness, executor,
                              platform::service::MakeClientOptions(kApplicationName));
                        });

  boost::asio::co_spawn(rest.executor(0),
                        platform::service::SweepForEver(
                            "expired sessions", kSweepRest,
                            [&sessions = rest.app(0).sessions] { return sessions.Sweep(); }),
                        boost::asio::detached);

  platform::grpc::Server rpc_server({.address = config.grpc_address,
                                     .port = config.grpc_port,
                                     .tls = config.tls,
                                     .client_names = config.grpc_clients,
                                     .max_connection_age = config.grpc_max_connection_age},
                                    ExecutorsOf(rest));
  const auto grpc_port = rpc_server.Start(MakeMethods(rest));
  if (!grpc_port) throw std::runtime_error(grpc_port.error());
  platform::service::LogListening("grpc", config.grpc_address, *grpc_port);
  rest.readiness().OnChange([&](bool is_ready) { rpc_server.SetServing(is_ready); });

  rest.Run([&](platform::telemetry::Report& report) { rest.app(0).hashes->ReportTo(report); },
           [&](std::chrono::milliseconds left) { rpc_server.Shutdown(left); });
}

}  // namespace customers
