#include "platform/service/static_file.h"

#include <gtest/gtest.h>

#include <vector>

namespace platform::service {
namespace {

StaticFile Asset() {
  return {.content = "body",
          .gzip = "compressed",
          .content_type = "text/css",
          .version = "0123",
          .is_immutable = true};
}

http::Response Ask(const StaticFile& file, std::vector<http::HeaderField> headers = {}) {
  return Answer(file, {.headers = headers});
}

std::string HeaderOf(const http::Response& response, std::string_view wanted) {
  for (const auto& [name, value] : response.headers) {
    if (name == wanted) return value;
  }
  return "";
}

TEST(StaticFile, IsSentAsItIs) {
  const http::Response response = Ask(Asset());
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.Content(), "body");
  EXPECT_EQ(response.content_type, "text/css");
  EXPECT_EQ(HeaderOf(response, "ETag"), R"("0123")");
  EXPECT_EQ(HeaderOf(response, "Content-Encoding"), "");
  EXPECT_EQ(HeaderOf(response, "Vary"), "Accept-Encoding");
  EXPECT_EQ(HeaderOf(response, "Cache-Control"), "public, max-age=31536000, immutable");
}

TEST(StaticFile, IsCompressedForWhoAcceptsIt) {
  for (const char* accepted : {"gzip", "GZIP", "deflate, gzip, br", "br;q=1.0, gzip;q=0.5", "*",
                               "gzip ; q=0.001", "identity;q=0,*;q=0.1"}) {
    const http::Response response = Ask(Asset(), {{"Accept-Encoding", accepted}});
    EXPECT_EQ(response.Content(), "compressed") << accepted;
    EXPECT_EQ(HeaderOf(response, "Content-Encoding"), "gzip") << accepted;
    EXPECT_EQ(HeaderOf(response, "ETag"), R"("0123-gzip")") << accepted;
  }
  for (const char* refused : {"", "identity", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0",
                              "*, gzip;q=0", "gzipped", ",,"}) {
    EXPECT_EQ(Ask(Asset(), {{"Accept-Encoding", refused}}).Content(), "body") << refused;
  }
}

TEST(StaticFile, WithoutCompressedFormIsNeverCompressed) {
  StaticFile file = Asset();
  file.gzip = {};
  const http::Response response = Ask(file, {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(response.Content(), "body");
  EXPECT_EQ(HeaderOf(response, "Vary"), "");
}

TEST(StaticFile, IsNotSentToWhoHasIt) {
  for (const char* known : {R"("0123")", R"(W/"0123")", R"("a", "0123")", "*"}) {
    const http::Response response = Ask(Asset(), {{"If-None-Match", known}});
    EXPECT_EQ(response.status, 304u) << known;
    EXPECT_EQ(response.Content(), "") << known;
    EXPECT_EQ(HeaderOf(response, "ETag"), R"("0123")") << known;
    EXPECT_EQ(HeaderOf(response, "Vary"), "Accept-Encoding") << known;
  }
  for (const char* other : {R"("0124")", "0123", R"("0123-gzip")", ""}) {
    EXPECT_EQ(Ask(Asset(), {{"If-None-Match", other}}).status, 200u) << other;
  }
  EXPECT_EQ(Ask(Asset(), {{"If-None-Match", R"("0123-gzip")"}, {"Accept-Encoding", "gzip"}}).status,
            304u);
}

TEST(StaticFile, ThatChangesIsAskedForAgain) {
  StaticFile file = Asset();
  file.is_immutable = false;
  file.policy = "default-src 'none'";
  const http::Response response = Ask(file);
  EXPECT_EQ(HeaderOf(response, "Cache-Control"), "no-cache");
  EXPECT_EQ(HeaderOf(response, "Content-Security-Policy"), "default-src 'none'");
}

}  // namespace
}  // namespace platform::service
