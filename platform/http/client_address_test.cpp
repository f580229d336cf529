#include "platform/http/client_address.h"

#include <gtest/gtest.h>

namespace platform::http {
namespace {

std::string ClientOf(std::string_view proxies, std::string_view peer,
                     std::vector<HeaderField> headers) {
  const Request request{.headers = headers, .client = peer};
  return TrustedProxies::Parse(proxies)->ClientOf(request);
}

TEST(TrustedProxies, NobodyIsBelievedByDefault) {
  EXPECT_EQ(ClientOf("", "127.0.0.1", {{"X-Forwarded-For", "1.2.3.4"}}), "127.0.0.1");
}

TEST(TrustedProxies, TheNearestStrangerIsTheClient) {
  const char* proxies = "10.0.0.0/8, 127.0.0.1,fd00::/8";
  EXPECT_EQ(ClientOf(proxies, "127.0.0.1", {{"x-forwarded-for", "1.2.3.4"}}), "1.2.3.4");
  EXPECT_EQ(ClientOf(proxies, "127.0.0.1", {{"X-Forwarded-For", "6.6.6.6, 1.2.3.4, 10.1.2.3"}}),
            "1.2.3.4");
  EXPECT_EQ(ClientOf(proxies, "fd00::1",
                     {{"X-Forwarded-For", "6.6.6.6"}, {"X-Forwarded-For", "2001:db8::1"}}),
            "2001:db8::1");
  EXPECT_EQ(ClientOf(proxies, "::ffff:10.0.0.1", {{"X-Forwarded-For", "1.2.3.4"}}), "1.2.3.4");
}

TEST(TrustedProxies, AStrangersHeaderIsNotBelieved) {
  EXPECT_EQ(ClientOf("10.0.0.0/8", "11.0.0.1", {{"X-Forwarded-For", "1.2.3.4"}}), "11.0.0.1");
}

TEST(TrustedProxies, StopsAtWhatIsNoAddress) {
  EXPECT_EQ(ClientOf("10.0.0.0/8", "10.0.0.1", {{"X-Forwarded-For", "1.2.3.4, unknown"}}),
            "10.0.0.1");
  EXPECT_EQ(ClientOf("10.0.0.0/8", "10.0.0.1", {{"X-Forwarded-For", ""}}), "10.0.0.1");
  EXPECT_EQ(ClientOf("10.0.0.0/8", "10.0.0.1", {{"X-Forwarded-For", "10.0.0.2"}}), "10.0.0.2");
}

TEST(TrustedProxies, DropsPorts) {
  const auto client = [](std::string_view entry) {
    return ClientOf("10.0.0.0/8,fd00::/8", "10.0.0.1", {{"X-Forwarded-For", entry}});
  };
  EXPECT_EQ(client("1.2.3.4:5678"), "1.2.3.4");
  EXPECT_EQ(client("[2001:db8::1]:443"), "2001:db8::1");
  EXPECT_EQ(client("[2001:db8::1]"), "2001:db8::1");
  EXPECT_EQ(client("6.6.6.6, 1.2.3.4:5678 , 10.0.0.2:80, [fd00::1]:80"), "1.2.3.4");
  for (const char* nonsense :
       {"1.2.3.4:", "1.2.3.4:http", "1.2.3.4:80:81", ":80", "[2001:db8::1", "[2001:db8::1]80",
        "[2001:db8::1]:", "[2001:db8::1]:x", "2001:db8::1]:80", "[1.2.3.4]:80", "[]:80", "["}) {
    EXPECT_EQ(client(nonsense), "10.0.0.1") << nonsense;
  }
}

TEST(TrustedProxies, NamesWhatIsNoNetwork) {
  for (const char* text :
       {"10.0.0.0/33", "10.0.0/8", "proxy", "::/129", "10.0.0.0/", "1.2.3.4/x"}) {
    EXPECT_EQ(TrustedProxies::Parse("127.0.0.1," + std::string(text)).error(), text);
  }
}

// Returns the networks of an address as "name*share", separated by spaces.
std::string NetworksOf(const std::string& address) {
  std::string text;
  for (const auto& [name, share] : ClientNetworks(address)) {
    text += (text.empty() ? "" : " ") + name + "*" + std::to_string(share);
  }
  return text;
}

TEST(ClientNetworks, AreThoseThatOneCustomerMayHave) {
  EXPECT_EQ(NetworksOf("192.0.2.1"), "192.0.2.1*1");
  EXPECT_EQ(NetworksOf("::ffff:192.0.2.1"), "192.0.2.1*1");
  EXPECT_EQ(NetworksOf("2001:db8:1:23:3:4:5:6"),
            "2001:db8:1:23::/64*1 2001:db8:1::/56*2 2001:db8:1::/48*4");
  EXPECT_EQ(NetworksOf("2001:db8:1:2345::"),
            "2001:db8:1:2345::/64*1 2001:db8:1:2300::/56*2 2001:db8:1::/48*4");
  EXPECT_EQ(NetworksOf("2001:db8:1:2::9"), NetworksOf("2001:db8:1:2:ffff::1"));
  EXPECT_EQ(NetworksOf("nonsense"), "nonsense*1");
}

}  // namespace
}  // namespace platform::http
