#include <gtest/gtest.h>

#include <string>

#include "platform/http/server.h"

namespace platform::http {
namespace {

TEST(Listener, SharesOneFreePort) {
  const auto listeners = Listener::Open("127.0.0.1", 0, 3);
  ASSERT_TRUE(listeners) << listeners.error();
  ASSERT_EQ(listeners->size(), 3U);
  EXPECT_NE((*listeners)[0].port(), 0);
  EXPECT_EQ((*listeners)[1].port(), (*listeners)[0].port());
  EXPECT_EQ((*listeners)[2].port(), (*listeners)[0].port());
}

TEST(Listener, NamesABusyPortAlsoWhereItIsShared) {
  // The first listener shares its port only with listeners that were opened together with it.
  const auto first = Listener::Open("127.0.0.1", 0, 2);
  ASSERT_TRUE(first);
  const std::uint16_t port = first->front().port();
  const auto second = Listener::Open("127.0.0.1", port, 2);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(),
            "cannot listen on 127.0.0.1 port " + std::to_string(port) + ": Address already in use");
  EXPECT_FALSE(Listener::Open("0.0.0.0", port, 1));
}

TEST(Listener, TakesAPortThatHasBecomeFree) {
  std::uint16_t port = 0;
  {
    const auto first = Listener::Open("127.0.0.1", 0, 1);
    ASSERT_TRUE(first);
    port = first->front().port();
  }
  const auto second = Listener::Open("127.0.0.1", port, 2);
  ASSERT_TRUE(second) << second.error();
  EXPECT_EQ(second->back().port(), port);
}

TEST(Listener, NamesABadAddress) {
  for (const std::string address : {"localhost", "", "127.0.0.300", "192.0.2.1"}) {
    const auto listeners = Listener::Open(address, 0, 1);
    ASSERT_FALSE(listeners);
    EXPECT_TRUE(listeners.error().starts_with("cannot listen on " + address + " port 0: "))
        << listeners.error();
  }
}

}  // namespace
}  // namespace platform::http
