#include "platform/trace/collector_client.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <string_view>
#include <utility>

#include "platform/base/version.h"

namespace platform::trace {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
namespace http = boost::beast::http;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr int kHttp11 = 11;
constexpr std::size_t kMaxReplyBytes = std::size_t{64} * 1024;
constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

bool IsAddress(const std::string& host) {
  boost::system::error_code error;
  asio::ip::make_address(host, error);
  return !error;
}

std::string AuthorityOf(const TracerOptions::Collector& collector) {
  const bool is_ipv6 = collector.host.contains(':');
  std::string authority = is_ipv6 ? fmt::format("[{}]", collector.host) : collector.host;
  if (collector.port != (collector.is_tls ? kHttpsPort : kHttpPort)) {
    authority += fmt::format(":{}", collector.port);
  }
  return authority;
}

// Reads a number of seconds. The other form of Retry-After, a date, is not supported.
std::optional<std::chrono::seconds> ParseSeconds(std::string_view text) {
  std::uint32_t seconds = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

}  // namespace

CollectorClient::CollectorClient(asio::any_io_executor executor,
                                 const TracerOptions::Collector& collector)
    : executor_(std::move(executor)),
      collector_(collector),
      authority_(AuthorityOf(collector)),
      tls_context_(ssl::context::tls_client) {
  if (!collector_.is_tls) return;
  boost::system::error_code ignored;  // Without authorities, no certificate is valid.
  tls_context_.set_default_verify_paths(ignored);
  tls_context_.set_verify_mode(ssl::verify_peer);
  tls_context_.set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
}

void CollectorClient::Close() {
  tls_.reset();
  stream_.reset();
  buffer_.clear();
}

Task<std::expected<CollectorClient::Reply, std::string>> CollectorClient::Post(
    const std::string& body, std::chrono::milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  if (!stream_) {
    auto connected = co_await Connect(deadline);
    if (!connected) {
      Close();
      co_return std::unexpected(std::move(connected.error()));
    }
  }
  stream_->expires_at(deadline);
  auto reply = tls_ ? co_await Exchange(*tls_, body) : co_await Exchange(*stream_, body);
  if (!reply) Close();
  co_return reply;
}

Task<std::expected<void, std::string>> CollectorClient::Connect(Deadline deadline) {
  const auto [resolve_error, endpoints] =
      co_await resolver_.async_resolve(collector_.host, std::to_string(collector_.port), kAwait);
  if (resolve_error) co_return std::unexpected(resolve_error.message());
  stream_.emplace(executor_);
  stream_->expires_at(deadline);
  const auto [connect_error, endpoint] = co_await stream_->async_connect(endpoints, kAwait);
  if (connect_error) co_return std::unexpected(connect_error.message());
  if (!collector_.is_tls) co_return std::expected<void, std::string>();

  tls_.emplace(*stream_, tls_context_);
  tls_->set_verify_callback(ssl::host_name_verification(collector_.host));
  if (!IsAddress(collector_.host)) {
    SSL_set_tlsext_host_name(tls_->native_handle(), collector_.host.c_str());
  }
  const auto [tls_error] = co_await tls_->async_handshake(Tls::client, kAwait);
  if (tls_error) co_return std::unexpected(tls_error.message());
  co_return std::expected<void, std::string>();
}

template <class Stream>
Task<std::expected<CollectorClient::Reply, std::string>> CollectorClient::Exchange(
    Stream& stream, const std::string& body) {
  http::request<http::span_body<const char>> request(http::verb::post, collector_.path, kHttp11);
  request.set(http::field::host, authority_);
  request.set(http::field::content_type, "application/json");
  request.set(http::field::user_agent, fmt::format("microcart/{}", kVersion));
  for (const auto& [name, value] : collector_.headers) request.set(name, value.Reveal());
  request.body() = {body.data(), body.size()};
  request.prepare_payload();
  const auto [write_error, written] = co_await http::async_write(stream, request, kAwait);
  if (write_error) co_return std::unexpected(write_error.message());

  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxReplyBytes);
  const auto [read_error, read] = co_await http::async_read(stream, buffer_, parser, kAwait);
  if (read_error) co_return std::unexpected(read_error.message());
  auto& response = parser.get();
  const auto retry_after = response[http::field::retry_after];
  Reply reply{.status = response.result_int(),
              .body = std::move(response.body()),
              .retry_after = ParseSeconds({retry_after.data(), retry_after.size()})};
  if (!response.keep_alive()) Close();
  co_return reply;
}

}  // namespace platform::trace
