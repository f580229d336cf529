#pragma once

#include <boost/asio/ip/address.hpp>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "platform/http/message.h"

namespace platform::http {

// The networks of the proxies in front of the service, whose X-Forwarded-For is believed.
class TrustedProxies {
 public:
  TrustedProxies() = default;  // None.

  // Networks and addresses, separated by commas: "10.0.0.0/8, 127.0.0.1, ::1". The error names the
  // part that is none.
  static std::expected<TrustedProxies, std::string> Parse(std::string_view text);

  // Whether the address is that of a proxy.
  bool Trusts(std::string_view address) const;

  // The address that a request really comes from, whose `client` is the peer's: the nearest one,
  // from the peer backwards through X-Forwarded-For, that is no trusted proxy. A port beside an
  // address there is dropped. What a client wrote into that header is never believed.
  std::string ClientOf(const Request& request) const;

 private:
  struct Network {
    boost::asio::ip::address_v6 address;  // IPv4 as IPv4-mapped.
    unsigned prefix_length = 128;
  };

  bool Contains(const boost::asio::ip::address& address) const;

  std::vector<Network> networks_;
};

// What one customer of an internet provider has in common: an IPv4 address, or the /64 network of
// an IPv6 address. Text that is no address stays as it is.
std::string ThrottleKey(const std::string& address);

}  // namespace platform::http
