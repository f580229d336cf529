#include "platform/grpc/client_connection.h"

#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/verify_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "platform/grpc/wire.h"

namespace platform::grpc::internal {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using UserTimeout = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_USER_TIMEOUT>;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

bool IsAddress(const std::string& host) {
  boost::system::error_code error;
  asio::ip::make_address(host, error);
  return !error;
}

// Returns whether a certificate names the host. A common name counts only if there are no
// alternative names.
bool Names(X509* certificate, const std::string& host) {
  if (IsAddress(host)) return X509_check_ip_asc(certificate, host.c_str(), 0) == 1;
  const bool has_names = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0;
  const unsigned int flags = has_names ? X509_CHECK_FLAG_NEVER_CHECK_SUBJECT : 0;
  return X509_check_host(certificate, host.data(), host.size(), flags, nullptr) == 1;
}

}  // namespace

ClientConnection::ClientConnection(std::shared_ptr<asio::ssl::context> context, TlsStream stream,
                                   const ConnectionOptions& options,
                                   std::shared_ptr<ReceiveBudget> budget, std::string host)
    : Connection(std::move(stream), options, std::move(budget)),
      context_(std::move(context)),
      host_(std::move(host)) {}

Task<boost::system::error_code> ClientConnection::Connect(tcp::endpoint endpoint,
                                                          std::chrono::milliseconds timeout) {
  LimitTime(timeout);
  tcp::socket& socket = tls().next_layer();
  const auto [error] = co_await socket.async_connect(endpoint, kAwait);
  if (error) co_return error;
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(UserTimeout(static_cast<int>(options().keepalive_timeout.count())), ignored);
  if (IsAddress(host_)) {
    authority_ = (host_.contains(':') ? "[" + host_ + "]" : host_);
  } else {
    authority_ = host_;
    SSL_set_tlsext_host_name(tls().native_handle(), host_.c_str());
  }
  authority_ += ":" + std::to_string(endpoint.port());
  tls().set_verify_callback([this](bool is_trusted, asio::ssl::verify_context& chain) {
    X509_STORE_CTX* const store = chain.native_handle();
    if (!is_trusted || X509_STORE_CTX_get_error_depth(store) > 0) return is_trusted;
    return Names(X509_STORE_CTX_get_current_cert(store), host_);
  });
  co_return co_await Handshake();
}

void ClientConnection::Open(const std::shared_ptr<ClientCall>& call) {
  HeaderList headers{{":method", "POST"},    {":scheme", "https"},
                     {":path", call->path_}, {":authority", authority_},
                     {"te", "trailers"},     {"content-type", "application/grpc"}};
  std::string timeout;
  if (call->deadline_) {
    timeout = FormatTimeout(
        std::chrono::ceil<std::chrono::milliseconds>(*call->deadline_ - Clock::now()));
    headers.Add("grpc-timeout", timeout);
  }
  for (const auto& [name, value] : call->metadata_) {
    if (!value.empty()) headers.Add(name, value);
  }
  const nghttp2_data_provider messages = MessagesOf(*call);
  const std::int32_t id = nghttp2_submit_request(session(), nullptr, headers.data(), headers.size(),
                                                 &messages, static_cast<Stream*>(call.get()));
  if (id < 0) {
    // All ids of the connection are used up.
    EndUse();
    call->Close(std::nullopt);
    return;
  }
  AddStream(id, call);
  ScheduleFlush();
}

void ClientConnection::Drain() {
  EndUse();
  GoAway();
}

void ClientConnection::OnSettings() {
  if (state_ == State::kConnecting) state_ = State::kReady;
  if (tell_change_) tell_change_();
}

void ClientConnection::EndUse() {
  state_ = State::kOver;
  if (tell_change_) tell_change_();
}

}  // namespace platform::grpc::internal
