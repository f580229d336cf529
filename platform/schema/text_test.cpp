#include "platform/schema/text.h"

#include <gtest/gtest.h>

namespace platform::schema {
namespace {

using namespace std::string_view_literals;

TEST(IsText, RefusesNulAndBrokenUtf8) {
  EXPECT_TRUE(IsText(""));
  EXPECT_TRUE(IsText("Zoë 😀"));
  EXPECT_FALSE(IsText("a\0b"sv));
  EXPECT_FALSE(IsText("\xff"));
  EXPECT_FALSE(IsText("\xc3"));
  EXPECT_FALSE(IsText("\xc0\x80"));          // Overlong.
  EXPECT_FALSE(IsText("\xed\xa0\x80"));      // A surrogate.
  EXPECT_FALSE(IsText("\xf4\x90\x80\x80"));  // Past U+10FFFF.
}

TEST(CountCharacters, CountsCodePointsNotBytes) {
  EXPECT_EQ(CountCharacters(""), 0U);
  EXPECT_EQ(CountCharacters("Zoë"), 3U);
  EXPECT_EQ(CountCharacters("😀😀"), 2U);
}

}  // namespace
}  // namespace platform::schema
