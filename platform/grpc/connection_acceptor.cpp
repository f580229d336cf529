#include "platform/grpc/connection_acceptor.h"

#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <utility>

#include "platform/log/log.h"

namespace platform::grpc::internal {
namespace {

using boost::asio::ip::tcp;

// A check looks at each connection, so a flood of connections must not cause one each.
constexpr std::chrono::milliseconds kCheckInterval{100};
// Time after which unacknowledged data ends a connection.
constexpr int kUserTimeoutMs = 10'000;

std::optional<ino_t> InodeOf(int descriptor) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return std::nullopt;
  return status.st_ino;
}

}  // namespace

ConnectionAcceptor::ConnectionAcceptor(const tcp::endpoint& endpoint, Limits limits)
    : limits_(limits) {
  acceptor_.open(endpoint.protocol());
  acceptor_.set_option(tcp::acceptor::reuse_address(true));
  acceptor_.bind(endpoint);
  acceptor_.listen();
}

ConnectionAcceptor::~ConnectionAcceptor() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
}

void ConnectionAcceptor::Start(HandOver hand_over) {
  hand_over_ = std::move(hand_over);
  Accept();
  // The new thread must not receive signals, which the program's own threads handle.
  sigset_t all_signals;
  sigset_t previous;
  sigfillset(&all_signals);
  pthread_sigmask(SIG_SETMASK, &all_signals, &previous);
  thread_ = std::thread([this] { loop_.run(); });
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

void ConnectionAcceptor::Accept() {
  acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
    if (error) {
      // The usual cause is a lack of descriptors, so wait for some to be closed.
      log::Warning("cannot accept a gRPC connection", {{"error", error.message()}});
      std::this_thread::sleep_for(kCheckInterval);
    } else if (const auto peer = socket.remote_endpoint(error); !error && HasRoom(peer.address())) {
      boost::system::error_code ignored;
      socket.non_blocking(true, ignored);
      socket.set_option(tcp::no_delay(true), ignored);
      const int connection = socket.release();
      ::setsockopt(connection, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMs,
                   sizeof kUserTimeoutMs);
      open_.push_back({.descriptor = connection,
                       .inode = InodeOf(connection).value_or(0),
                       .client = peer.address()});
      hand_over_(acceptor_.native_handle(), connection);
    }
    Accept();
  });
}

bool ConnectionAcceptor::HasRoom(const boost::asio::ip::address& client) {
  const auto has_room = [&] {
    return open_.size() < limits_.connections &&
           std::cmp_less(std::ranges::count(open_, client, &Open::client),
                         limits_.connections_per_client);
  };
  if (has_room()) return true;
  if (Clock::now() - last_check_ < kCheckInterval) return false;
  ForgetClosed();
  last_check_ = Clock::now();
  if (has_room()) return true;
  log::Warning("gRPC connections refused",
               {{"open", open_.size()}, {"client", client.to_string()}});
  return false;
}

void ConnectionAcceptor::ForgetClosed() {
  std::erase_if(open_, [](const Open& open) { return InodeOf(open.descriptor) != open.inode; });
}

}  // namespace platform::grpc::internal
