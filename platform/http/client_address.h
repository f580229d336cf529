#pragma once

#include <boost/asio/ip/address.hpp>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/client_network.h"
#include "platform/http/message.h"

namespace platform::http {

// The networks of the proxies in front of the service. Their X-Forwarded-For is believed.
class TrustedProxies {
 public:
  TrustedProxies() = default;  // Trusts no proxy.

  // Parses networks and addresses, separated by commas: "10.0.0.0/8, 127.0.0.1, ::1". The error is
  // the part that is neither.
  static std::expected<TrustedProxies, std::string> Parse(std::string_view text);

  // Returns whether the address belongs to a trusted proxy.
  bool Trusts(std::string_view address) const;

  // Returns the address that a request comes from; its `client` is the peer's address. Going
  // backwards from the peer through X-Forwarded-For, it is the nearest address that is not a
  // trusted proxy. A port beside an address is dropped. Entries that a client wrote into the header
  // itself are never believed.
  std::string ClientOf(const Request& request) const;

 private:
  struct Network {
    boost::asio::ip::address_v6 address;  // An IPv4 address is IPv4-mapped.
    unsigned prefix_length = 128;
  };

  bool Contains(const boost::asio::ip::address& address) const;

  std::vector<Network> networks_;
};

// Returns the networks by which a client's address is counted, the smallest first: an IPv4 address
// alone; of an IPv6 address the /64, /56 and /48 networks, because an internet provider assigns
// networks of any of these sizes to one customer (RFC 6177). Several customers may share a larger
// one, so a /56 has twice the share of a /64, and a /48 four times. Text that is not an address is
// returned unchanged.
std::vector<ClientNetwork> ClientNetworks(const std::string& address);

}  // namespace platform::http
