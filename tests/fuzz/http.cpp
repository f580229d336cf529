// A client's bytes → a connection of one of the services, with its real routes, but without a
// database or another service. The first byte selects the service, and the pieces in which the
// other bytes arrive.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "platform/http/connection.h"
#include "platform/log/log.h"
#include "platform/security/hash_pool.h"
#include "services/cart/src/api/routes.h"
#include "services/customers/src/api/routes.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/responses.h"

namespace {

namespace asio = boost::asio;
namespace http = platform::http;
using fuzz::Check;
using platform::Task;

// Both services on one event loop. Never destroyed.
class Services {
 public:
  asio::io_context& loop() { return loop_; }
  Task<http::Response> Dispatch(bool is_cart, const http::Request& request) {
    return is_cart ? cart_routes_.Dispatch(cart_, request)
                   : customers_routes_.Dispatch(customers_, request);
  }

 private:
  static platform::postgres::Settings NoDatabase() {
    platform::postgres::Settings settings;
    settings.servers.front().host = "/nonexistent";
    settings.database = settings.user = "nobody";
    return settings;
  }
  static cart::Config MakeCartConfig() {
    cart::Config config;
    config.database = NoDatabase();
    config.customers = {.replicas = {{.host = "localhost", .port = 1}},
                        .tls = {"/nonexistent", "/nonexistent", "/nonexistent"},
                        .max_in_flight = 0};
    return config;
  }
  static customers::Config MakeCustomersConfig() {
    customers::Config config;
    config.database = NoDatabase();
    return config;
  }

  asio::io_context loop_{1};
  platform::service::Readiness readiness_{1};
  const std::shared_ptr<platform::security::HashPool> full_hash_pool_ =
      std::make_shared<platform::security::HashPool>(
          platform::security::HashPoolOptions{.threads = 0, .places = 0});
  platform::security::RefusalLimit refusals_{1'000'000, std::chrono::seconds(1)};
  const platform::security::TokenCodec tokens_{{platform::Secret("secret of the fuzz test")}};
  const cart::Config cart_config_ = MakeCartConfig();
  const customers::Config customers_config_ = MakeCustomersConfig();
  const cart::Routes cart_routes_ = cart::MakeRoutes();
  const customers::Routes customers_routes_ = customers::MakeRoutes();
  cart::App cart_{cart_config_, readiness_, loop_.get_executor(), {}};
  customers::App customers_{customers_config_, full_hash_pool_,      refusals_, tokens_,
                            readiness_,        loop_.get_executor(), {}};
};

const http::ServerOptions& Options() {
  static const http::ServerOptions options = {
      .limits = {.head_bytes = 4096, .body_bytes = 4096, .requests_per_connection = 8},
      .trusted_proxies = http::TrustedProxies::Parse("::/0, 10.0.0.0/8").value(),
      .cors = http::CorsPolicy::Parse("https://shop.example").value()};
  return options;
}

// The client's end of a connection; it never blocks.
class Client {
 public:
  explicit Client(int socket) : socket_(socket) { ::fcntl(socket_, F_SETFL, O_NONBLOCK); }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Sends the next piece; after the last one, the end.
  void SendSome(std::string_view& bytes, std::size_t piece) {
    const ssize_t sent = ::send(socket_, bytes.data(), std::min(bytes.size(), piece), MSG_NOSIGNAL);
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    if (sent < 0 && errno != EAGAIN) bytes = {};  // The server has closed.
    if (bytes.empty()) ::shutdown(socket_, SHUT_WR);
  }

  void ReadAll(std::string& received) const {
    std::array<char, 65536> buffer{};
    for (ssize_t size = 0; (size = ::recv(socket_, buffer.data(), buffer.size(), 0)) > 0;) {
      received.append(buffer.data(), static_cast<std::size_t>(size));
    }
  }

 private:
  const int socket_;
};

// The parts of a conversation.
struct Conversation {
  std::vector<http::Method> requests;  // The requests that reached the routes.
  std::string received;
};

Conversation Talk(bool is_cart, std::string_view bytes, std::size_t piece) {
  static Services& services = *new Services;
  Conversation conversation;
  std::array<int, 2> sockets{};
  Check(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.data()) == 0, "there are sockets");
  Client client(sockets[0]);
  const http::Handler handler = [&](const http::Request& request) {
    conversation.requests.push_back(request.method);
    return services.Dispatch(is_cart, request);
  };
  http::ServerState state;
  http::Connection connection({services.loop(), asio::ip::tcp::v4(), sockets[1]}, "",
                              http::Admission::kOrdinary, handler, Options(), state, nullptr);
  bool is_over = false;
  asio::co_spawn(services.loop(), connection.Serve(), [&](const std::exception_ptr& exception) {
    Check(exception == nullptr, "a connection ends without an exception");
    is_over = true;
  });
  services.loop().restart();
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool is_sending = true;
  while (!is_over) {
    if (is_sending) {
      client.SendSome(bytes, piece);
      is_sending = !bytes.empty();
    }
    if (services.loop().poll() == 0 && !is_sending) {
      services.loop().run_one_for(std::chrono::milliseconds(5));
    }
    client.ReadAll(conversation.received);
    Check(std::chrono::steady_clock::now() < patience, "a connection ends with its client");
  }
  connection.Abort();
  client.ReadAll(conversation.received);
  return conversation;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr std::array<std::size_t, 4> kPieces = {65536, 1000, 17, 1};
  if (size == 0) return 0;
  platform::log::Configure(platform::log::Level::kError, platform::log::Format::kJson);
  const bool is_cart = (data[0] & 1) != 0;
  const std::size_t piece = kPieces[(data[0] >> 1) % kPieces.size()];
  const Conversation conversation =
      Talk(is_cart, fuzz::Text(data, size).substr(1), size < 10'000 ? piece : kPieces.front());
  const auto responses = fuzz::ReadResponses(conversation.received, conversation.requests);
  fuzz::CheckConversation(responses, conversation.requests.size());
  return 0;
}
