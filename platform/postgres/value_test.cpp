#include "platform/postgres/value.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

namespace platform::postgres {
namespace {

using namespace std::string_literals;

template <class T>
std::string Encoded(const T& value) {
  std::string bytes;
  Codec<T>::Encode(value, bytes);
  return bytes;
}

TEST(ValueTest, IntegersTravelInNetworkOrder) {
  EXPECT_EQ(Encoded<std::int16_t>(0x0102), "\x01\x02");
  EXPECT_EQ(Encoded<std::int32_t>(-2), "\xff\xff\xff\xfe");
  EXPECT_EQ(Encoded<std::int64_t>(0x0102030405060708), "\x01\x02\x03\x04\x05\x06\x07\x08");
  EXPECT_EQ(Codec<std::int64_t>::Decode("\x01\x02\x03\x04\x05\x06\x07\x08"), 0x0102030405060708);
}

TEST(ValueTest, TimestampsCountFromTheYear2000) {
  const Timestamp epoch = std::chrono::sys_days(std::chrono::year(2000) / 1 / 1);
  EXPECT_EQ(Encoded(epoch), "\0\0\0\0\0\0\0\0"s);
  EXPECT_EQ(Codec<Timestamp>::Decode("\0\0\0\0\0\0\0\1"s), epoch + std::chrono::microseconds(1));
}

TEST(ValueTest, TheEndsOfTimeAreInfinity) {
  for (const Timestamp end : {Timestamp::min(), Timestamp::max()}) {
    EXPECT_EQ(Encoded(end), Encoded(end.time_since_epoch().count()));
    EXPECT_EQ(Codec<Timestamp>::Decode(Encoded(end)), end);
  }
  const std::chrono::microseconds tick(1);
  EXPECT_THROW(Encoded(Timestamp::min() + tick), std::out_of_range);
  EXPECT_THROW(Codec<Timestamp>::Decode(Encoded(std::numeric_limits<std::int64_t>::max() - 1)),
               std::out_of_range);
}

TEST(ValueTest, ArraysRoundTrip) {
  for (const std::vector<std::int32_t>& values :
       {std::vector<std::int32_t>{}, {7}, {1, -2, std::numeric_limits<std::int32_t>::max()}}) {
    EXPECT_EQ(Codec<std::vector<std::int32_t>>::Decode(Encoded(values)), values);
  }
}

TEST(ValueTest, ArraysOfTextHaveTheirBinaryForm) {
  using namespace std::string_view_literals;
  EXPECT_EQ(Encoded(std::vector<std::string>{}), "\0\0\0\0\0\0\0\0\0\0\0\x19"sv);
  EXPECT_EQ(Encoded(std::vector<std::string>{"a", ""}),
            "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\2\0\0\0\1\0\0\0\1a\0\0\0\0"sv);
}

TEST(ValueTest, MalformedValuesAreRefused) {
  EXPECT_THROW(Codec<bool>::Decode(""), std::runtime_error);
  EXPECT_THROW(Codec<std::int32_t>::Decode("123"), std::runtime_error);
  EXPECT_THROW(Codec<Timestamp>::Decode("123456789"), std::runtime_error);
  using Array = Codec<std::vector<std::int32_t>>;
  const std::string whole = Encoded(std::vector<std::int32_t>{1, 2});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(Array::Decode(whole.substr(0, size)), std::runtime_error) << size;
  }
  std::string two_dimensions = whole;
  two_dimensions[3] = 2;
  EXPECT_THROW(Array::Decode(two_dimensions), std::runtime_error);
  std::string with_null = whole;
  with_null.replace(20, 4, "\xff\xff\xff\xff");
  EXPECT_THROW(Array::Decode(with_null), std::runtime_error);
  std::string huge = whole;
  huge.replace(12, 4, "\x7f\xff\xff\xff");
  EXPECT_THROW(Array::Decode(huge), std::runtime_error);
}

TEST(ValueTest, TextTakesAllCharacterTypes) {
  for (const unsigned oid : {25U, 1043U, 1042U, 19U}) {
    EXPECT_TRUE(Accepts<std::string>(oid));
  }
  EXPECT_FALSE(Accepts<std::string>(17));
  EXPECT_FALSE(Accepts<std::int32_t>(20));
}

}  // namespace
}  // namespace platform::postgres
