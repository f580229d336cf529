#include "tests/validation/customers.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <stdexcept>

#include "services/customers/migrations/migrations.h"
#include "services/customers/src/rpc/token_validation.h"

namespace validation_test {

namespace asio = boost::asio;

void Worker::Run(const std::function<void()>& task) {
  asio::post(io_, asio::use_future(task)).get();
}

Customers::Customers(platform::grpc::TlsFiles tls)
    : tls_(std::move(tls)), tokens_({platform::Secret(std::string(32, 's'))}) {
  platform::migrations::Runner runner(database_.settings(), customers::Migrations());
  if (!runner.Up()) throw std::runtime_error("the migration failed");
  database_.Run(
      "INSERT INTO users (email, first_name, last_name, password, is_admin, token_version) "
      "SELECT 'user' || i || '@example.com', '', '', '', i % 7 = 0, i % 3 "
      "FROM generate_series(1, " +
      std::to_string(kUsers) + ") i");
  database_.Run(
      "INSERT INTO sessions (user_id, id, expires, client, user_agent) "
      "SELECT id, 1, now() + interval '1 day', '', '' FROM users");
  shards_.resize(2);
  for (Shard& shard : shards_) {
    shard.worker.Run([&] {
      shard.client.emplace(shard.worker.io().get_executor(), database_.settings());
      shard.users.emplace(*shard.client);
      shard.authenticator.emplace(tokens_, *shard.users);
    });
  }
  Start();
}

Customers::~Customers() {
  server_->Shutdown(std::chrono::milliseconds{0});
  for (Shard& shard : shards_) {
    shard.worker.Run([&] { shard.client.reset(); });
  }
}

void Customers::Restart() {
  server_->Shutdown(std::chrono::milliseconds{0});
  Start();
}

void Customers::Start() {
  std::vector<boost::asio::any_io_executor> executors;
  std::vector<customers::ValidationWorker> workers;
  for (Shard& shard : shards_) {
    executors.emplace_back(shard.worker.io().get_executor());
    workers.push_back({.executor = shard.worker.io().get_executor(),
                       .validate = [&shard](std::vector<std::string_view> authorizations) {
                         return shard.authenticator->Validate(std::move(authorizations));
                       }});
  }
  server_.emplace(platform::grpc::ServerOptions{.port = port_, .tls = tls_}, std::move(executors));
  std::vector<platform::grpc::Method> methods;
  methods.push_back(customers::ValidateTokensMethod(std::move(workers)));
  const auto port = server_->Start(std::move(methods));
  if (!port) throw std::runtime_error(port.error());
  port_ = *port;
}

}  // namespace validation_test
