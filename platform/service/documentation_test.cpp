#include "platform/service/documentation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace platform::service {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

const PageFile& Page() { return PageFiles().back(); }

TEST(Documentation, PageNamesItsFilesByTheirContent) {
  ASSERT_EQ(PageFiles().size(), 5u);
  EXPECT_EQ(Page().path, kPagePath);
  for (const PageFile& page : PageFiles()) {
    EXPECT_THAT(page.path, StartsWith(kPagePath));
    EXPECT_THAT(page.file.content, Not(IsEmpty())) << page.path;
    if (&page == &Page()) continue;
    EXPECT_THAT(page.path, MatchesRegex(R"(.*\.[0-9a-f]{16}\.(js|css|png))"));
    EXPECT_TRUE(page.file.is_immutable) << page.path;
    EXPECT_THAT(page.file.gzip, StartsWith("\x1f\x8b")) << page.path;
    const std::string name = page.path.substr(kPagePath.size());
    EXPECT_THAT(Page().file.content, HasSubstr('"' + name + '"'));
  }
}

TEST(Documentation, PageRunsOnlyWhatItsServiceServes) {
  EXPECT_FALSE(Page().file.is_immutable);
  EXPECT_THAT(Page().file.policy, StartsWith("default-src 'none'; script-src 'self'; "));
  EXPECT_THAT(Page().file.policy, Not(HasSubstr("unsafe")));
  EXPECT_THAT(Page().file.content, Not(HasSubstr("//")));
  EXPECT_THAT(Page().file.content_type, StartsWith("text/html"));
}

TEST(Documentation, IsFoundFromTheRoot) {
  const auto body = boost::json::parse(AnswerToRoot().body).as_object();
  EXPECT_EQ(body.at("data").at("documentation").as_string(), kPagePath);
  EXPECT_EQ(body.at("data").at("openapi").as_string(), kDocumentPath);
  const http::Response redirect = RedirectToPage();
  EXPECT_EQ(redirect.status, 308u);
  EXPECT_EQ(redirect.headers.front().second, kPagePath);
}

TEST(Documentation, DocumentIsRevalidated) {
  const StaticFile file = DocumentFile("{}");
  EXPECT_EQ(file.content_type, "application/json");
  EXPECT_FALSE(file.is_immutable);
  EXPECT_NE(file.version, DocumentFile("{ }").version);
}

}  // namespace
}  // namespace platform::service
