#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "platform/grpc/server.h"
#include "platform/migrations/testing/test_database.h"
#include "platform/security/jwt.h"
#include "services/customers/src/auth/authenticator.h"

namespace validation_test {

// An event loop with a thread.
class Worker {
 public:
  Worker() = default;
  ~Worker() {
    work_.reset();
    io_.stop();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  boost::asio::io_context& io() { return io_; }
  // Runs the task on the loop, and waits for it.
  void Run(const std::function<void()>& task);

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::thread thread_{[this] { io_.run(); }};
};

// The part of the customers service that validates tokens, over the stream only. It has two workers
// and its own database, in which the users 1 to kUsers have the token version id % 3 and the
// unusual emails below.
class Customers {
 public:
  static constexpr int kUsers = 2000;

  explicit Customers(platform::grpc::TlsFiles tls);
  ~Customers();
  Customers(const Customers&) = delete;
  Customers& operator=(const Customers&) = delete;

  static std::string EmailOf(int id) { return "user" + std::to_string(id) + "@example.com"; }
  static bool IsAdmin(int id) { return id % 7 == 0; }

  const platform::security::TokenCodec& tokens() const { return tokens_; }
  std::uint16_t port() const { return port_; }

  // Ends the server at once, and starts another one on the same port.
  void Restart();

 private:
  struct Shard {
    Worker worker;
    std::optional<platform::postgres::Client> client;
    std::optional<customers::UserStore> users;
    std::optional<customers::Authenticator> authenticator;
  };

  void Start();

  const platform::grpc::TlsFiles tls_;
  platform::migrations::TestDatabase database_;
  const platform::security::TokenCodec tokens_;
  std::deque<Shard> shards_;
  std::optional<platform::grpc::Server> server_;
  std::uint16_t port_ = 0;
};

}  // namespace validation_test
