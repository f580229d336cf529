#include "services/customers/src/domain/common_passwords.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "services/customers/src/domain/password.h"

namespace customers {
namespace {

std::vector<std::string> Lines() {
  std::vector<std::string> lines;
  std::ifstream file(COMMON_PASSWORDS);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

TEST(CommonPasswords, AreThreeThousandInOrder) {
  const std::vector<std::string> lines = Lines();
  EXPECT_EQ(lines.size(), 3000U);
  EXPECT_EQ(std::ranges::adjacent_find(lines, std::ranges::greater_equal()), lines.end());
}

TEST(CommonPasswords, EachIsFoundAndItsNeighboursAreNot) {
  const std::vector<std::string> lines = Lines();
  for (const std::string& line : lines) {
    EXPECT_TRUE(IsCommonPassword(line)) << line;
    for (const std::string& other : {line + "!~", line.substr(1) + "\x7f", "~" + line}) {
      EXPECT_EQ(IsCommonPassword(other), std::ranges::binary_search(lines, other)) << other;
    }
  }
  EXPECT_FALSE(IsCommonPassword(""));
  EXPECT_FALSE(IsCommonPassword("\n"));
  EXPECT_FALSE(IsCommonPassword(lines[0] + "\n" + lines[1]));
}

TEST(CommonPasswords, InAnyCaseAndForm) {
  EXPECT_TRUE(IsCommonPassword("PassWord"));
  EXPECT_TRUE(IsCommonPassword("BAS\u212aETBALL"));  // The Kelvin sign is canonically a K.
  EXPECT_FALSE(IsCommonPassword("pässword"));
  EXPECT_FALSE(IsCommonPassword(std::string(1024, 'a')));
  // Conversion to lower case makes the password longer than any line.
  std::string dotted;
  for (int i = 0; i < 24; ++i) dotted += "\u0130";
  EXPECT_FALSE(IsCommonPassword(dotted));
}

TEST(NewPassword, SaysWhyItIsRefused) {
  EXPECT_EQ(NewPassword::Check("secret"), "Shorter than minimum length 7.");
  EXPECT_EQ(NewPassword::Check("Password1"), "This password is too common.");
  EXPECT_EQ(NewPassword::Check("testPass123"), std::nullopt);
}

TEST(NewPassword, IsMeasuredInNfc) {
  EXPECT_EQ(NewPassword::Check("e\u0308o\u0308a\u0308u\u0308"), "Shorter than minimum length 7.");
  EXPECT_EQ(NewPassword::Check("e\u0308o\u0308a\u0308u\u0308-ab"), std::nullopt);
}

TEST(NewPassword, IsAsLongAsTheStoreDemands) {
  NewPassword::SetMinLength(12);
  EXPECT_EQ(NewPassword::Check("testPass123"), "Shorter than minimum length 12.");
  EXPECT_EQ(NewPassword::Check("testPass1234"), std::nullopt);
  NewPassword::SetMinLength(7);
  EXPECT_EQ(NewPassword::Check("testPass123"), std::nullopt);
}

}  // namespace
}  // namespace customers
