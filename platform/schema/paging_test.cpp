#include "platform/schema/paging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "platform/schema/parse.h"

namespace platform::schema {
namespace {

using testing::ElementsAre;
using testing::Pair;

Result<ListQuery> Read(std::string_view query) { return Parse<ListQuery>(query, Source::kQuery); }

FieldErrors Complaints(std::string_view query) {
  const Result<ListQuery> read = Read(query);
  EXPECT_FALSE(read) << query;
  return read ? FieldErrors() : read.error().fields;
}

TEST(ListQuery, HasDefaults) {
  const Result<ListQuery> query = Read("other=1");
  ASSERT_TRUE(query);
  EXPECT_FALSE(query->IsSearch());
  EXPECT_EQ(query->Limit(), 1000);
  EXPECT_EQ(query->After(), 0);
}

TEST(ListQuery, IsRead) {
  const Result<ListQuery> query = Read("search=a%20b&limit=20&after=2147483647");
  ASSERT_TRUE(query);
  EXPECT_TRUE(query->IsSearch());
  EXPECT_EQ(query->search->value(), "a b");
  EXPECT_EQ(query->Limit(), 20);
  EXPECT_EQ(query->After(), 2147483647);
}

TEST(ListQuery, LooksForNothingWhereTheTermIsEmpty) { EXPECT_FALSE(Read("search=")->IsSearch()); }

TEST(ListQuery, RefusesBadNumbers) {
  const std::string range = "Must be greater than or equal to 1 and less than or equal to 1000.";
  const std::string integer = "Not a valid integer.";
  for (const auto* limit : {"0", "1001", "-1", "2147483648", "-99999999999"}) {
    EXPECT_THAT(Complaints(std::string("limit=") + limit),
                ElementsAre(Pair("limit", ElementsAre(range))));
  }
  for (const auto* limit : {"", "x", "1.5", "1e2", "0x10", "%2B", "true"}) {
    EXPECT_THAT(Complaints(std::string("limit=") + limit),
                ElementsAre(Pair("limit", ElementsAre(integer))));
  }
  EXPECT_THAT(Complaints("after=-1"),
              ElementsAre(Pair("after", ElementsAre("Must be greater than or equal to 0."))));
  EXPECT_THAT(Complaints("after=2147483648"), ElementsAre(Pair("after", ElementsAre(integer))));
  EXPECT_EQ(Complaints("after=x&limit=0&search=%FF").size(), 3U);
}

TEST(SearchTerm, HasAtMost256Characters) {
  std::string longest;
  for (int i = 0; i < 256; ++i) longest += "\xc3\xa9";
  EXPECT_TRUE(SearchTerm::Parse(longest));
  EXPECT_FALSE(SearchTerm::Parse(longest + "x"));
}

TEST(SearchTerm, IsLiteral) {
  const auto pattern = [](std::string term) {
    return SearchTerm::Parse(std::move(term))->ContainsPattern();
  };
  EXPECT_EQ(pattern("plain"), "%plain%");
  EXPECT_EQ(pattern("100%_\\"), R"(%100\%\_\\%)");
  EXPECT_EQ(pattern(""), "%%");
}

class RowId : public ValueType<RowId, std::int32_t> {
 public:
  static std::optional<std::string_view> Check(std::int32_t) { return std::nullopt; }
};

struct Row {
  RowId id;
};

std::vector<Row> Rows(std::int32_t count) {
  std::vector<Row> rows;
  for (std::int32_t i = 1; i <= count; ++i) rows.push_back({RowId::Unchecked(10 * i)});
  return rows;
}

TEST(MakePage, TellsWhereTheNextPageBegins) {
  const Page<Row> page = MakePage(Rows(4), 3);
  EXPECT_EQ(page.items.size(), 3U);
  EXPECT_EQ(page.next, 30);
}

TEST(MakePage, EndsWithTheLastRow) {
  EXPECT_EQ(MakePage(Rows(3), 3).items.size(), 3U);
  EXPECT_EQ(MakePage(Rows(3), 3).next, std::nullopt);
  EXPECT_EQ(MakePage(Rows(0), 1).items.size(), 0U);
  EXPECT_EQ(MakePage(Rows(0), 1).next, std::nullopt);
}

}  // namespace
}  // namespace platform::schema
