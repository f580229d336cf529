// The part of Connection that connects: resolving, connecting, backing off.

#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

#include "platform/base/random_duration.h"
#include "platform/postgres/connection.h"
#include "platform/postgres/unconfirmed_commit.h"

namespace platform::postgres::internal {

namespace asio = boost::asio;
using boost::system::error_code;
using WaitType = asio::posix::stream_descriptor::wait_type;

// Connects, with as many attempts as necessary. Started by Open(), which Break() calls again.
Task<void> Connection::Maintain() {
  if (state_ == State::kClosed) {
    co_return;
  }
  if (std::exchange(answered_, false)) {
    backoff_ = shared_->options.initial_backoff;
  } else if (generation_ > 0) {
    co_await BackOff();  // The last session died before it answered anything.
  }
  for (std::size_t attempts = 1; state_ != State::kClosed; ++attempts) {
    const bool up = co_await Connect();
    if (state_ == State::kClosed) {
      co_return;
    }
    if (up) {
      EnterPipeline();
      co_return;
    }
    descriptor_.close();
    session_.reset();
    timer_.cancel();
    Report(false, failure_);
    const std::size_t servers = shared_->settings.servers.size();
    server_ = (server_ + 1) % servers;
    if (attempts % servers == 0) {
      co_await BackOff();
    }
  }
}

Task<void> Connection::BackOff() {
  state_ = State::kBackingOff;
  FailAll(failure_);
  timer_.expires_after(RandomDuration(backoff_ / 2, backoff_));
  backoff_ = std::min(backoff_ * 2, shared_->options.max_backoff);
  error_code ignored;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

// Makes one attempt. Returns false if it failed (see failure_), ran out of time, or was closed.
Task<bool> Connection::Connect() {
  state_ = State::kConnecting;
  timer_.expires_after(shared_->options.connect_timeout);
  timer_.async_wait([self = weak_from_this(), generation = ++generation_](error_code error) {
    if (const auto connection = self.lock(); connection && !error &&
                                             connection->generation_ == generation &&
                                             connection->state_ == State::kConnecting) {
      connection->GiveUpAttempt();
    }
  });

  const Server& server = shared_->settings.servers[server_];
  std::vector<std::string> addresses;
  if (NeedsResolving(server.host) && !co_await Resolve(server.host, addresses)) {
    co_return false;
  }
  session_ = StartConnecting(shared_->settings, server, addresses, shared_->options, lane_);
  if (!session_) {
    throw std::bad_alloc();
  }
  PQsetNoticeReceiver(
      session_.get(),
      [](void* self, const PGresult* notice) { static_cast<Connection*>(self)->OnNotice(notice); },
      this);
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (PQstatus(session_.get()) != CONNECTION_BAD && next != PGRES_POLLING_FAILED) {
    if (next == PGRES_POLLING_OK) {
      co_return true;
    }
    if (!Watch()) {
      co_return false;
    }
    error_code error;
    co_await descriptor_.async_wait(
        next == PGRES_POLLING_READING ? WaitType::wait_read : WaitType::wait_write,
        asio::redirect_error(asio::use_awaitable, error));
    if (state_ != State::kConnecting) {
      co_return false;
    }
    next = PQconnectPoll(session_.get());
  }
  failure_ = LastError(session_.get());
  co_return false;
}

Task<bool> Connection::Resolve(const std::string& host, std::vector<std::string>& addresses) {
  error_code error;
  const auto results =
      co_await resolver_.async_resolve(host, "", asio::redirect_error(asio::use_awaitable, error));
  if (state_ != State::kConnecting) {
    co_return false;
  }
  for (const auto& result : results) {
    addresses.push_back(result.endpoint().address().to_string());
  }
  if (error || addresses.empty()) {
    failure_ = fmt::format("cannot resolve the host {}: {}", host, error.message());
    co_return false;
  }
  co_return true;
}

// libpq calls this as soon as it finds a notice behind a result that it returns next or has
// returned. A commit takes place at the sync, so its notice is found before the sync's result.
void Connection::OnNotice(const pg_result* notice) {
  is_unconfirmed_ = is_unconfirmed_ || ReportsUnconfirmedCommit(notice);
  const char* text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
  if (shared_->options.on_notice && text != nullptr) {
    shared_->options.on_notice(text);
  }
}

// Ends an attempt that takes too long. The resolver cannot be interrupted, so the waiting calls
// fail here and not only when Connect() returns.
void Connection::GiveUpAttempt() {
  failure_ = "connecting timed out";
  state_ = State::kBackingOff;
  FailAll(failure_);
  resolver_.cancel();
  descriptor_.close();
}

bool Connection::Watch() {
  const int copy = ::fcntl(PQsocket(session_.get()), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) {
    failure_ = fmt::format("cannot watch the socket: {}", std::generic_category().message(errno));
    return false;
  }
  descriptor_.close();
  descriptor_.assign(copy);
  return true;
}

void Connection::EnterPipeline() {
  timer_.cancel();
  if (PQsetnonblocking(session_.get(), 1) != 0 || PQenterPipelineMode(session_.get()) != 1 ||
      !Watch()) {
    Break();
    return;
  }
  state_ = State::kUp;
  Report(true, "connected");
  const char* superuser = PQparameterStatus(session_.get(), "is_superuser");
  if (superuser != nullptr && std::string_view(superuser) == "on" &&
      shared_->options.on_superuser) {
    shared_->options.on_superuser();
  }
  AwaitReadable();
  SendPending();
}

}  // namespace platform::postgres::internal
