#include "platform/schema/write.h"

#include <gtest/gtest.h>

#include <boost/describe/class.hpp>

namespace platform::schema {
namespace {

template <class T>
std::string Json(const T& value) {
  std::string out;
  Write(value, out);
  return out;
}

struct Line {
  std::int32_t id = 0;
  std::string name;
  std::optional<bool> gift;
};
BOOST_DESCRIBE_STRUCT(Line, (), (id, name, gift))

TEST(Write, WritesMembersInOrder) {
  EXPECT_EQ(Json(std::vector<Line>{{1, "a", true}, {-2, "b", std::nullopt}}),
            R"([{"id":1,"name":"a","gift":true},{"id":-2,"name":"b","gift":null}])");
}

TEST(Write, EscapesWhatJsonDemandsAndNoMore) {
  EXPECT_EQ(Json(std::string("Zoë Ångström 😀")), R"("Zoë Ångström 😀")");
  EXPECT_EQ(Json(std::string("\"\\\n\x01")), R"("\"\\\n\u0001")");
}

TEST(Write, AnArrayOfElementsThatAreAlikeTakesNoMoreMemoryThanItNeeds) {
  const std::string json = Json(std::vector<Line>(1000, {1, std::string(100, 'a'), true}));
  EXPECT_LT(json.capacity(), json.size() + (json.size() / 16));
}

TEST(Write, AnArrayMayGrowBeyondWhatItsFirstElementSuggests) {
  const std::vector<std::string> texts{"", std::string(1000, 'a'), "b"};
  EXPECT_EQ(Json(texts), "[\"\",\"" + std::string(1000, 'a') + "\",\"b\"]");
}

TEST(Write, TimestampsCarryMicrosecondsAndOffset) {
  using std::chrono::microseconds;
  EXPECT_EQ(Json(Timestamp(microseconds(1795388427304648))),
            R"("2026-11-22T23:00:27.304648+00:00")");
  EXPECT_EQ(Json(Timestamp(microseconds(0))), R"("1970-01-01T00:00:00.000000+00:00")");
  EXPECT_EQ(Json(Timestamp(microseconds(-1))), R"("1969-12-31T23:59:59.999999+00:00")");
}

}  // namespace
}  // namespace platform::schema
