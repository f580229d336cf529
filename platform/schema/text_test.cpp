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

TEST(ToNfc, ComposesCharacters) {
  EXPECT_EQ(ToNfc(""), "");
  EXPECT_EQ(ToNfc("plain"), "plain");
  EXPECT_EQ(ToNfc("Zoe\u0308"), "Zo\u00eb");
  EXPECT_EQ(ToNfc("Zo\u00eb"), "Zo\u00eb");
  EXPECT_EQ(ToNfc("e\u0302\u0323"), "\u1ec7");                       // The marks in another order.
  EXPECT_EQ(ToNfc("\U0001d160"), "\U0001d158\U0001d165\U0001d16e");  // Three times as long.
  EXPECT_EQ(ToNfc("\uff5a\ufb01"), "\uff5a\ufb01");                  // Compatible characters stay.
  EXPECT_EQ(ToNfc("e\u0308\xff"), "e\u0308\xff");                    // Not UTF-8.
}

}  // namespace
}  // namespace platform::schema
