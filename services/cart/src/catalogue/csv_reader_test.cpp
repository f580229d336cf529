#include "services/cart/src/catalogue/csv_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace cart {
namespace {

using testing::ElementsAre;

// Returns each record as its line and its fields, or its problem: "3: a|b", "4! …".
std::vector<std::string> Read(const std::string& text) {
  std::istringstream input(text);
  CsvReader reader(input);
  std::vector<std::string> records;
  std::vector<std::string> fields;
  while (reader.Next(fields)) {
    std::string record = std::to_string(reader.line());
    if (reader.problem()) {
      record += "! " + std::string(*reader.problem());
    } else {
      for (std::size_t i = 0; i < fields.size(); ++i) record += (i == 0 ? ": " : "|") + fields[i];
    }
    records.push_back(record);
  }
  return records;
}

TEST(CsvReader, ReadsLines) {
  EXPECT_THAT(Read("a,b\n1,2\n"), ElementsAre("1: a|b", "2: 1|2"));
  EXPECT_THAT(Read("a,b\r\n1,2\r\n"), ElementsAre("1: a|b", "2: 1|2"));
  EXPECT_THAT(Read("a,b\n1,2"), ElementsAre("1: a|b", "2: 1|2"));
  EXPECT_THAT(Read("a\n"), ElementsAre("1: a"));
  EXPECT_THAT(Read(""), ElementsAre());
}

TEST(CsvReader, SkipsEmptyLinesAndAByteOrderMark) {
  EXPECT_THAT(Read("\n\r\na\n\n\nb\n\n"), ElementsAre("3: a", "6: b"));
  EXPECT_THAT(Read("\xEF\xBB\xBF\"a\",b"), ElementsAre("1: a|b"));
}

TEST(CsvReader, ReadsEmptyFields) {
  EXPECT_THAT(Read(",\n,,\n\"\"\n\"\",\r\n"), ElementsAre("1: |", "2: ||", "3: ", "4: |"));
}

TEST(CsvReader, ReadsQuotedFields) {
  EXPECT_THAT(Read("\"a,b\",\"c \"\"d\"\"\"\r\n\"two\r\nlines\n\",x\ny\n"),
              ElementsAre("1: a,b|c \"d\"", "2: two\r\nlines\n|x", "5: y"));
}

TEST(CsvReader, ReportsMalformedRecordsAndGoesOn) {
  EXPECT_THAT(Read("a\nb\"c,d\n\"e\"f\n\"g\n"),
              ElementsAre("1: a", "2! There is a quotation mark within a field that is not quoted.",
                          "3! There is text behind a closing quotation mark.",
                          "4! A quotation mark is not closed."));
  EXPECT_THAT(Read("\rx\ny"),
              ElementsAre("1! There is a carriage return without a line feed.", "2: y"));
}

TEST(CsvReader, BoundsARecord) {
  EXPECT_THAT(
      Read("\"" + std::string(CsvReader::kMaxRecordBytes, 'x') + "\"\ny"),
      ElementsAre("1! It is longer than 1 MiB; perhaps a quotation mark is not closed.", "2: y"));
}

// The reader's buffer ends in the middle of fields.
TEST(CsvReader, ReadsMoreThanItsBuffer) {
  std::string text;
  std::vector<std::string> expected;
  for (int i = 1; i <= 50'000; ++i) {
    text += "\"" + std::to_string(i) + "\",\"\"\"\"\r\n";
    expected.push_back(std::to_string(i) + ": " + std::to_string(i) + "|\"");
  }
  EXPECT_EQ(Read(text), expected);
}

}  // namespace
}  // namespace cart
