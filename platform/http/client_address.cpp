#include "platform/http/client_address.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <optional>
#include <ranges>

namespace platform::http {
namespace {

namespace ip = boost::asio::ip;

constexpr unsigned kMappedBits = 96;  // Bits before the IPv4 part of an IPv4-mapped address.
constexpr unsigned kAddressBits = 128;

// The networks of an IPv6 address by which clients are counted.
struct CountedNetwork {
  unsigned bits;
  int share;
};
constexpr std::array<CountedNetwork, 3> kCountedNetworks{{{64, 1}, {56, 2}, {48, 4}}};

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::optional<ip::address> ParseAddress(std::string_view text) {
  boost::system::error_code error;
  ip::address address = ip::make_address(text, error);
  if (error) return std::nullopt;
  return address;
}

// Parses an entry of X-Forwarded-For. Beside a bare address, some proxies write "192.0.2.1:80",
// "[2001:db8::1]:80" or "[2001:db8::1]".
std::optional<ip::address> ParseEntry(std::string_view text) {
  std::string_view address = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    address = text.substr(1, end - 1);
    if (!address.contains(':')) return std::nullopt;
    port = text.substr(end + 1);
  } else if (const std::size_t colon = text.find(':'); colon == text.rfind(':')) {
    address = text.substr(0, colon);
    port = text.substr(std::min(colon, text.size()));
  }
  const bool is_port = port.size() > 1 && port.front() == ':' &&
                       port.find_first_not_of("0123456789", 1) == std::string_view::npos;
  return port.empty() || is_port ? ParseAddress(address) : std::nullopt;
}

ip::address_v6 Mapped(const ip::address& address) {
  return address.is_v4() ? ip::make_address_v6(ip::v4_mapped, address.to_v4()) : address.to_v6();
}

ip::address_v6 NetworkOf(const ip::address_v6& address, unsigned prefix_length) {
  return ip::network_v6(address, static_cast<unsigned short>(prefix_length)).network();
}

}  // namespace

std::expected<TrustedProxies, std::string> TrustedProxies::Parse(std::string_view text) {
  TrustedProxies proxies;
  for (const auto part : text | std::views::split(',')) {
    const std::string_view network = Trim(std::string_view(part));
    if (network.empty()) continue;
    const std::size_t slash = network.find('/');
    const auto address = ParseAddress(network.substr(0, slash));
    const unsigned bits = address && address->is_v4() ? kAddressBits - kMappedBits : kAddressBits;
    unsigned length = bits;
    bool is_good = address.has_value();
    if (slash != std::string_view::npos) {
      const std::string_view digits = network.substr(slash + 1);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), length);
      is_good =
          is_good && error == std::errc() && end == digits.data() + digits.size() && length <= bits;
    }
    if (!is_good) return std::unexpected(std::string(network));
    proxies.networks_.push_back(
        {.address = Mapped(*address), .prefix_length = length + (kAddressBits - bits)});
  }
  return proxies;
}

bool TrustedProxies::Trusts(std::string_view address) const {
  if (networks_.empty()) return false;
  const auto parsed = ParseAddress(address);
  return parsed && Contains(*parsed);
}

std::string TrustedProxies::ClientOf(const Request& request) const {
  std::string client(request.client);
  if (!Trusts(client)) return client;
  // The nearest address is the last entry of the last header.
  for (const HeaderField& field : request.headers | std::views::reverse) {
    if (!boost::beast::iequals(field.name, "X-Forwarded-For")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = rest.rfind(',');
      const std::size_t begin = comma == std::string_view::npos ? 0 : comma + 1;
      const auto address = ParseEntry(Trim(rest.substr(begin)));
      if (!address) return client;
      client = address->to_string();
      if (!Contains(*address)) return client;
      rest = rest.substr(0, begin == 0 ? 0 : comma);
    }
  }
  return client;
}

bool TrustedProxies::Contains(const ip::address& address) const {
  const ip::address_v6 mapped = Mapped(address);
  for (const Network& network : networks_) {
    if (NetworkOf(mapped, network.prefix_length) ==
        NetworkOf(network.address, network.prefix_length)) {
      return true;
    }
  }
  return false;
}

std::vector<ClientNetwork> ClientNetworks(const std::string& address) {
  const auto parsed = ParseAddress(address);
  if (!parsed || parsed->is_v4()) return {{.name = address}};
  const ip::address_v6 v6 = parsed->to_v6();
  if (v6.is_v4_mapped()) return {{.name = ip::make_address_v4(ip::v4_mapped, v6).to_string()}};
  std::vector<ClientNetwork> networks;
  for (const auto& [bits, share] : kCountedNetworks) {
    networks.push_back(
        {.name = NetworkOf(v6, bits).to_string() + "/" + std::to_string(bits), .share = share});
  }
  return networks;
}

}  // namespace platform::http
