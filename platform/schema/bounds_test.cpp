#include "platform/schema/bounds.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <limits>

#include "platform/schema/describe.h"
#include "platform/schema/value_type.h"

namespace platform::schema {
namespace {

template <class Bound>
std::string Described() {
  boost::json::object schema;
  Bound::Describe(schema);
  return boost::json::serialize(schema);
}

TEST(Bounds, OfIntegers) {
  using OneToFive = Range<1, 5>;
  EXPECT_EQ(OneToFive::Check(0), "Must be greater than or equal to 1 and less than or equal to 5.");
  EXPECT_EQ(OneToFive::Check(1), std::nullopt);
  EXPECT_EQ(OneToFive::Check(5), std::nullopt);
  EXPECT_EQ(OneToFive::Check(6), OneToFive::Check(0));
  EXPECT_EQ(Described<OneToFive>(), R"({"minimum":1,"maximum":5})");

  EXPECT_EQ(AtLeast<0>::Check(-1), "Must be greater than or equal to 0.");
  EXPECT_EQ(AtLeast<0>::Check(0), std::nullopt);
  EXPECT_EQ(AtLeast<0>::Check(std::numeric_limits<std::int32_t>::max()), std::nullopt);
  EXPECT_EQ(Described<AtLeast<0>>(), R"({"minimum":0})");
}

TEST(Bounds, OfLengthsInCharacters) {
  using OneToThree = Length<1, 3>;
  EXPECT_EQ(OneToThree::Check(""), "Length must be between 1 and 3.");
  EXPECT_EQ(OneToThree::Check("é"), std::nullopt);
  EXPECT_EQ(OneToThree::Check("ééé"), std::nullopt);
  EXPECT_EQ(OneToThree::Check("éééé"), OneToThree::Check(""));
  EXPECT_EQ(Described<OneToThree>(), R"({"minLength":1,"maxLength":3})");

  EXPECT_EQ(MinLength<2>::Check("é"), "Shorter than minimum length 2.");
  EXPECT_EQ(MinLength<2>::Check("éé"), std::nullopt);
  EXPECT_EQ(Described<MinLength<2>>(), R"({"minLength":2})");

  EXPECT_EQ(MaxLength<2>::Check("ééé"), "Longer than maximum length 2.");
  EXPECT_EQ(MaxLength<2>::Check("éé"), std::nullopt);
  EXPECT_EQ(Described<MaxLength<2>>(), R"({"maxLength":2})");
}

class Nickname : public ValueType<Nickname, std::string, MinLength<2>, MaxLength<3>> {};

TEST(ValueType, HasTheBoundsOfItsDeclaration) {
  EXPECT_EQ(Nickname::Parse("a").error(), "Shorter than minimum length 2.");
  EXPECT_EQ(Nickname::Parse("abcd").error(), "Longer than maximum length 3.");
  EXPECT_EQ(Nickname::Parse("abc")->value(), "abc");
  Components components;
  EXPECT_EQ(boost::json::serialize(Describe<Nickname>(components)),
            R"({"type":"string","minLength":2,"maxLength":3})");
}

}  // namespace
}  // namespace platform::schema
