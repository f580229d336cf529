#include "platform/schema/parse.h"

#include <gmock/gmock.h>

#include <boost/describe/class.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <ostream>
#include <string>

#include "platform/schema/describe.h"

namespace platform::schema {
namespace {

using testing::ElementsAre;
using testing::Pair;

class Stars : public ValueType<Stars, std::int32_t> {
 public:
  static std::optional<std::string_view> Check(std::int32_t value) {
    if (value < 1 || value > 5) return "Must be from 1 to 5.";
    return std::nullopt;
  }
  static void Describe(boost::json::object& schema) {
    schema["minimum"] = 1;
    schema["maximum"] = 5;
  }
};

struct Note {
  std::string text;
  static constexpr bool kIgnoresUnknownMembers = true;
};
BOOST_DESCRIBE_STRUCT(Note, (), (text))

class Key : public ValueType<Key, std::int32_t> {
 public:
  static std::optional<std::string_view> Check(std::int32_t) { return std::nullopt; }
  static void Describe(boost::json::object&) {}
};

struct Review {
  std::string title;
  Stars stars;
  std::optional<bool> anonymous;
  std::optional<Key> key;

  void Check(FieldErrors& errors) const {
    if (title == "bad" && stars.value() == 5) errors["stars"] = {"Too many for that title."};
  }
};
BOOST_DESCRIBE_STRUCT(Review, (), (title, stars, anonymous, key))

struct Shelf {
  List<Review, 3> reviews;
};
BOOST_DESCRIBE_STRUCT(Shelf, (), (reviews))

struct Row {
  std::string label;
  std::string body;
  ErrorCode code;
  FieldErrors fields;

  friend std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.label; }
};

TEST(UnknownFields, AreReportedInABoundedNumber) {
  std::string body = R"({"title":"","stars":9)";
  for (int i = 0; i < 8000; ++i) body += ",\"x" + std::to_string(i) + "\":1";
  const auto parsed = Parse<Review>(body + "}", Source::kBody);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().fields.size(), kMaxUnknownFields + 1);
  EXPECT_TRUE(parsed.error().fields.contains("stars"));
}

TEST(UnknownFields, AreReportedByTheStartOfALongName) {
  const std::string start(kMaxNameBytes - 1, 'x');
  for (const std::string& name : {start + "y", start + "yz", start + "\u00e4"}) {
    const auto parsed =
        Parse<Review>(R"({"title":"","stars":1,")" + name + R"(":1})", Source::kBody);
    ASSERT_FALSE(parsed.has_value());
    const std::string reported = name == start + "y"    ? name
                                 : name == start + "yz" ? start + "y\u2026"
                                                        : start + "\u2026";
    EXPECT_EQ(parsed.error().fields, (FieldErrors{{reported, {"Unknown field."}}}));
  }
}

class RejectedBody : public testing::TestWithParam<Row> {};

TEST_P(RejectedBody, TellsEveryBadField) {
  const auto parsed = Parse<Review>(GetParam().body, Source::kBody);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().code, GetParam().code);
  EXPECT_EQ(parsed.error().fields, GetParam().fields);
}

constexpr auto kBadRequest = ErrorCode::kInvalidArgument;
constexpr auto kBadFields = ErrorCode::kUnprocessable;
const FieldErrors kNotJson{{"json", {"Invalid JSON body."}}};

INSTANTIATE_TEST_SUITE_P(
    Bodies, RejectedBody,
    testing::Values(
        Row{"missing",
            "",
            kBadFields,
            {{"title", {"Missing data for required field."}},
             {"stars", {"Missing data for required field."}}}},
        Row{"null",
            R"({"title":null,"stars":1})",
            kBadFields,
            {{"title", {"Field may not be null."}}}},
        Row{"optional_null",
            R"({"title":"","stars":1,"anonymous":null})",
            kBadFields,
            {{"anonymous", {"Field may not be null."}}}},
        Row{"unknown", R"({"title":"","stars":1,"x":1})", kBadFields, {{"x", {"Unknown field."}}}},
        Row{"all_at_once",
            R"({"title":1,"stars":6,"x":[]})",
            kBadFields,
            {{"title", {"Not a valid string."}},
             {"stars", {"Must be from 1 to 5."}},
             {"x", {"Unknown field."}}}},
        Row{"integer_as_text",
            R"({"title":"","stars":"1"})",
            kBadFields,
            {{"stars", {"Not a valid integer."}}}},
        Row{"fraction",
            R"({"title":"","stars":1.5})",
            kBadFields,
            {{"stars", {"Not a valid integer."}}}},
        Row{"boolean_as_integer",
            R"({"title":"","stars":true})",
            kBadFields,
            {{"stars", {"Not a valid integer."}}}},
        Row{"past_int32_with_range",
            R"({"title":"","stars":99999999999})",
            kBadFields,
            {{"stars", {"Must be from 1 to 5."}}}},
        Row{"past_int32_without_range",
            R"({"title":"","stars":1,"key":99999999999})",
            kBadFields,
            {{"key", {"Not a valid integer."}}}},
        Row{"past_int64",
            R"({"title":"","stars":1,"key":99999999999999999999})",
            kBadFields,
            {{"key", {"Not a valid integer."}}}},
        Row{"huge_exponent",
            R"({"title":"","stars":1,"key":1e999})",
            kBadFields,
            {{"key", {"Not a valid integer."}}}},
        Row{"boolean_word",
            R"({"title":"","stars":1,"anonymous":"maybe"})",
            kBadFields,
            {{"anonymous", {"Not a valid boolean."}}}},
        Row{"nul",
            R"({"title":"a\u0000b","stars":1})",
            kBadFields,
            {{"title", {"Not a valid string."}}}},
        Row{"together",
            R"({"title":"bad","stars":5})",
            kBadFields,
            {{"stars", {"Too many for that title."}}}},
        Row{"array", "[]", kBadFields, {{"_schema", {"Invalid input type."}}}},
        Row{"null_body", "null", kBadFields, {{"_schema", {"Invalid input type."}}}},
        Row{"not_json", "{", kBadRequest, kNotJson}, Row{"blank", " ", kBadRequest, kNotJson},
        Row{"trailing", "{} {}", kBadRequest, kNotJson},
        Row{"broken_utf8", "{\"title\":\"\xff\",\"stars\":1}", kBadRequest, kNotJson},
        Row{"lone_surrogate", R"({"title":"\ud800","stars":1})", kBadRequest, kNotJson},
        Row{"too_deep", std::string(40, '[') + std::string(40, ']'), kBadRequest, kNotJson}),
    [](const auto& row) { return row.param.label; });

TEST(ParseBody, ReadsAllMembers) {
  const auto parsed =
      Parse<Review>(R"({"title":"Zoë","stars":5,"anonymous":"yes"})", Source::kBody);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->title, "Zoë");
  EXPECT_EQ(parsed->stars.value(), 5);
  EXPECT_EQ(parsed->anonymous, true);
  EXPECT_EQ(parsed->key, std::nullopt);
}

TEST(ParseBody, IgnoresUnknownMembersIfTheStructSaysSo) {
  const auto parsed = Parse<Note>(R"({"id":[1],"text":"a","":null})", Source::kBody);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->text, "a");
  EXPECT_EQ(Parse<Note>(R"({"id":1,"text":2})", Source::kBody).error().fields,
            (FieldErrors{{"text", {"Not a valid string."}}}));
  Components components;
  Describe<Note>(components);
  EXPECT_FALSE(components.at("Note").as_object().contains("additionalProperties"));
}

TEST(ParseBody, OfARepeatedMemberTheLastCounts) {
  const auto parsed = Parse<Review>(R"({"title":"a","stars":1,"title":"b"})", Source::kBody);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->title, "b");
}

TEST(ParseBoolean, TakesTheWordsOfTheReference) {
  for (const char* json : {"true", "1", "1.0", "\"t\"", "\"Yes\"", "\"ON\"", "\"1\"", "\"y\""}) {
    EXPECT_EQ(ParseBoolean(boost::json::parse(json)), true) << json;
  }
  for (const char* json : {"false", "0", "\"F\"", "\"no\"", "\"Off\"", "\"0\"", "\"n\""}) {
    EXPECT_EQ(ParseBoolean(boost::json::parse(json)), false) << json;
  }
  for (const char* json : {"2", "\"tRuE\"", "\"\"", "[]", "{}", "0.5"}) {
    EXPECT_FALSE(ParseBoolean(boost::json::parse(json)).has_value()) << json;
  }
}

TEST(ParseQuery, DecodesAndIgnoresWhatItDoesNotKnow) {
  const auto parsed =
      Parse<Review>("title=a+b%20%C3%A9&stars=3&other=1&title=second", Source::kQuery);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->title, "a b é");
  EXPECT_EQ(parsed->stars.value(), 3);
}

TEST(ParseQuery, TakesWhatClientsDoNotEncode) {
  for (const std::string text : {"a|b", "[a]", "{\"a\"}", "a^b`c\\d<e>", "a b", "Zoë", "a'(b)"}) {
    const auto parsed = Parse<Review>("stars=3&title=" + text, Source::kQuery);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_EQ(parsed->title, text);
  }
  EXPECT_EQ(Parse<Review>("title=a\xff&stars=3", Source::kQuery).error().code,
            ErrorCode::kUnprocessable);
  EXPECT_EQ(Parse<Review>(std::string_view("title=a\0b&stars=3", 17), Source::kQuery).error().code,
            ErrorCode::kUnprocessable);
  EXPECT_EQ(Parse<Review>("title=a#b&stars=3", Source::kQuery).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(ParseList, ReadsObjects) {
  const auto parsed = Parse<Shelf>(
      R"({"reviews": [{"title": "a", "stars": 1}, {"title": "b", "stars": 2}]})", Source::kBody);
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->reviews.items.size(), 2U);
  EXPECT_EQ(parsed->reviews.items[1].title, "b");
  EXPECT_TRUE(Parse<Shelf>(R"({"reviews": []})", Source::kBody)->reviews.items.empty());
}

TEST(ParseList, NamesEveryBadMember) {
  const auto errors = [](std::string_view body) {
    return Parse<Shelf>(body, Source::kBody).error().fields;
  };
  EXPECT_THAT(errors("{}"),
              ElementsAre(Pair("reviews", ElementsAre("Missing data for required field."))));
  EXPECT_THAT(errors(R"({"reviews": null})"),
              ElementsAre(Pair("reviews", ElementsAre("Field may not be null."))));
  EXPECT_THAT(errors(R"({"reviews": {}})"),
              ElementsAre(Pair("reviews", ElementsAre("Not a valid list."))));
  EXPECT_THAT(errors(R"({"reviews": [1, 2, 3, 4]})"),
              ElementsAre(Pair("reviews", ElementsAre("Longer than maximum length 3."))));
  EXPECT_THAT(errors(R"({"reviews": [{"title": "a", "stars": 1}, 7, {"stars": 9, "x": 1}]})"),
              ElementsAre(Pair("reviews.1", ElementsAre("Invalid input type.")),
                          Pair("reviews.2.stars", ElementsAre("Must be from 1 to 5.")),
                          Pair("reviews.2.title", ElementsAre("Missing data for required field.")),
                          Pair("reviews.2.x", ElementsAre("Unknown field."))));
}

TEST(ParseQuery, ReadsAViewThatEndsNowhere) {
  const std::string_view query("title=a&stars=3000");
  EXPECT_EQ(Parse<Review>(query.substr(0, query.size() - 3), Source::kQuery)->stars.value(), 3);
  EXPECT_EQ(Parse<Review>({}, Source::kQuery).error().code, ErrorCode::kUnprocessable);
}

TEST(ParseQuery, TellsEveryBadParameter) {
  const auto parsed = Parse<Review>("title=%ff&stars=3x&key=-", Source::kQuery);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_THAT(parsed.error().fields,
              ElementsAre(Pair("key", ElementsAre("Not a valid integer.")),
                          Pair("stars", ElementsAre("Not a valid integer.")),
                          Pair("title", ElementsAre("Not a valid string."))));
  EXPECT_EQ(Parse<Review>("title=%zz&stars=1", Source::kQuery).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(Describe, SaysHowLongAListMayBe) {
  Components components;
  Describe<Shelf>(components);
  EXPECT_EQ(boost::json::serialize(Property(components.at("Shelf").as_object(), "reviews")),
            R"({"type":"array","items":{"$ref":"#/components/schemas/Review"},"maxItems":3})");
}

TEST(Describe, SaysWhatParseEnforces) {
  Components components;
  EXPECT_EQ(boost::json::serialize(Describe<Review>(components)),
            R"({"$ref":"#/components/schemas/Review"})");
  EXPECT_EQ(boost::json::serialize(components),
            R"({"Review":{"type":"object","properties":{"title":{"type":"string"},)"
            R"("stars":{"type":"integer","format":"int32","minimum":1,"maximum":5},)"
            R"("anonymous":{"type":"boolean"},"key":{"type":"integer","format":"int32"}},)"
            R"("required":["title","stars"],"additionalProperties":false}})");
}

}  // namespace
}  // namespace platform::schema
