#include "platform/trace/request_id.h"

#include <gtest/gtest.h>

namespace platform::trace {
namespace {

TEST(RequestId, IsShortPlainText) {
  EXPECT_TRUE(IsRequestId("7f3c.A-b_C:9"));
  EXPECT_TRUE(IsRequestId(std::string(kMaxRequestIdLength, 'x')));
  EXPECT_FALSE(IsRequestId(std::string(kMaxRequestIdLength + 1, 'x')));
  for (const char* id : {"", " ", "a b", "a\"b", "a\nb", "a/b", "\xc3\xa9"}) {
    EXPECT_FALSE(IsRequestId(id)) << id;
  }
}

TEST(RequestId, IsMadeAnew) {
  const std::string id = MakeRequestId();
  EXPECT_EQ(id.size(), 32U);
  EXPECT_TRUE(IsRequestId(id));
  EXPECT_NE(MakeRequestId(), id);
}

}  // namespace
}  // namespace platform::trace
