#include "platform/http/request_head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace platform::http {
namespace {

using State = HeadScanner::State;
using std::string_literals::operator""s;

// Returns the last state when the bytes arrive one by one, up to the first one that is not
// kIncomplete.
State ScanByteByByte(HeadScanner& scanner, const std::string& bytes) {
  State state = State::kIncomplete;
  for (std::size_t size = 1; size <= bytes.size() && state == State::kIncomplete; ++size) {
    state = scanner.Scan(std::string_view(bytes).substr(0, size));
  }
  return state;
}

TEST(HeadScanner, FindsTheEndWhateverThePieces) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: \t\r\n\r\n";
  HeadScanner at_once;
  EXPECT_EQ(at_once.Scan(head + "body\n"), State::kComplete);
  EXPECT_EQ(at_once.size(), head.size());

  HeadScanner by_bytes;
  for (std::size_t size = 0; size < head.size(); ++size) {
    ASSERT_EQ(by_bytes.Scan(std::string_view(head).substr(0, size)), State::kIncomplete) << size;
  }
  EXPECT_EQ(by_bytes.Scan(head), State::kComplete);
  EXPECT_EQ(by_bytes.size(), head.size());
}

TEST(HeadScanner, StartsAnew) {
  HeadScanner scanner;
  scanner.Scan("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  scanner.Reset();
  EXPECT_EQ(scanner.Scan("GET /\r\n\r\n"), State::kComplete);
  EXPECT_EQ(scanner.size(), 9U);
}

struct MalformedHead {
  const char* label;
  std::string bytes;
};

class MalformedHeads : public ::testing::TestWithParam<MalformedHead> {};

TEST_P(MalformedHeads, AreSeenAtOnceAndByteByByte) {
  HeadScanner at_once;
  EXPECT_EQ(at_once.Scan(GetParam().bytes), State::kMalformed);
  HeadScanner by_bytes;
  EXPECT_EQ(ScanByteByByte(by_bytes, GetParam().bytes), State::kMalformed);
}

INSTANTIATE_TEST_SUITE_P(
    , MalformedHeads,
    ::testing::Values(MalformedHead{"bare_lf_first", "\n"}, MalformedHead{"empty_first", "\r\n"},
                      MalformedHead{"bare_lf_after_request_line", "GET / HTTP/1.1\nHost: a\r\n"},
                      MalformedHead{"bare_lf_after_field", "GET / HTTP/1.1\r\nHost: a\n"},
                      MalformedHead{"bare_lf_at_end", "GET / HTTP/1.1\r\nHost: a\r\n\n"},
                      MalformedHead{"nul_in_request_line", "GET /\0 HTTP/1.1\r\n"s},
                      MalformedHead{"nul_in_name", "GET / HTTP/1.1\r\nHo\0st"s},
                      MalformedHead{"nul_in_value", "GET / HTTP/1.1\r\nHost: a\0"s},
                      MalformedHead{"folded_by_space", "GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n"},
                      MalformedHead{"folded_by_tab", "GET / HTTP/1.1\r\nHost: a\r\n\tb: c\r\n"},
                      MalformedHead{"space_first", " GET / HTTP/1.1\r\n"}),
    [](const auto& row) { return row.param.label; });

struct Head {
  const char* label;
  unsigned version;
  std::vector<HeaderField> headers;
  // The status to refuse it with, or nothing.
  std::optional<ErrorStatus> error = ErrorStatus::kBadRequest;
};

class Framings : public ::testing::TestWithParam<Head> {};

TEST_P(Framings, AreChecked) {
  const OrStatus<Framing> framing = CheckFraming(GetParam().version, GetParam().headers);
  if (GetParam().error) {
    ASSERT_FALSE(framing);
    EXPECT_EQ(framing.error(), *GetParam().error);
  } else {
    EXPECT_TRUE(framing);
  }
}

constexpr HeaderField kHost{"Host", "shop.example:8081"};

INSTANTIATE_TEST_SUITE_P(
    Good, Framings,
    ::testing::Values(Head{"host_only", 11, {kHost}, {}}, Head{"no_host_in_10", 10, {}, {}},
                      Head{"host_in_10", 10, {kHost}, {}},
                      Head{"length", 11, {kHost, {"content-length", "0"}}, {}},
                      Head{"chunked", 11, {kHost, {"TRANSFER-ENCODING", "Chunked"}}, {}},
                      Head{"ipv6_host", 11, {{"host", "[::1]:80"}}, {}},
                      Head{"expect", 11, {kHost, {"Expect", "100-Continue"}}, {}}),
    [](const auto& row) { return row.param.label; });

INSTANTIATE_TEST_SUITE_P(
    Bad, Framings,
    ::testing::Values(
        Head{"version_09", 9, {kHost}}, Head{"version_12", 12, {kHost}},
        Head{"version_20", 20, {kHost}}, Head{"no_host", 11, {}},
        Head{"two_hosts", 11, {kHost, kHost}}, Head{"two_hosts_in_10", 10, {kHost, kHost}},
        Head{"empty_host", 11, {{"Host", ""}}}, Head{"listed_hosts", 11, {{"Host", "a, b"}}},
        Head{"host_with_path", 11, {{"Host", "a/b"}}},
        Head{"host_with_user", 11, {{"Host", "a@b"}}},
        Head{"host_with_nul", 11, {{"Host", std::string_view("a\0", 2)}}},
        Head{"host_not_ascii", 11, {{"Host", "\xc3\xa9"}}},
        Head{"gzip", 11, {kHost, {"Transfer-Encoding", "gzip"}}},
        Head{"gzip_chunked", 11, {kHost, {"Transfer-Encoding", "gzip, chunked"}}},
        Head{"xchunked", 11, {kHost, {"Transfer-Encoding", "xchunked"}}},
        Head{"chunked_twice", 11, {kHost, {"Transfer-Encoding", "chunked, chunked"}}},
        Head{"identity", 11, {kHost, {"Transfer-Encoding", "identity"}}},
        Head{"no_encoding", 11, {kHost, {"Transfer-Encoding", ""}}},
        Head{"chunked_with_parameter", 11, {kHost, {"Transfer-Encoding", "chunked;q=1"}}},
        Head{"two_encodings",
             11,
             {kHost, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}},
        Head{"chunked_in_10", 10, {kHost, {"Transfer-Encoding", "chunked"}}},
        Head{"chunked_and_length",
             11,
             {kHost, {"Transfer-Encoding", "chunked"}, {"Content-Length", "5"}}},
        Head{"two_lengths", 11, {kHost, {"Content-Length", "5"}, {"Content-Length", "5"}}},
        Head{"listed_lengths", 11, {kHost, {"Content-Length", "5, 5"}}},
        Head{"negative_length", 11, {kHost, {"Content-Length", "-1"}}},
        Head{"signed_length", 11, {kHost, {"Content-Length", "+1"}}},
        Head{"hex_length", 11, {kHost, {"Content-Length", "0x1"}}},
        Head{"empty_length", 11, {kHost, {"Content-Length", ""}}},
        Head{"other_expectation", 11, {kHost, {"Expect", "tea"}}, ErrorStatus::kExpectationFailed}),
    [](const auto& row) { return row.param.label; });

TEST(Framing, TellsWhetherTheConnectionStays) {
  const auto stays = [](unsigned version, std::vector<HeaderField> headers) {
    headers.push_back(kHost);
    return CheckFraming(version, headers)->keep_alive;
  };
  EXPECT_TRUE(stays(11, {}));
  EXPECT_TRUE(stays(11, {{"Connection", "keep-alive"}}));
  EXPECT_FALSE(stays(11, {{"Connection", "close"}}));
  EXPECT_FALSE(stays(11, {{"connection", "x, CLOSE"}}));
  EXPECT_FALSE(stays(11, {{"Connection", "close"}, {"Connection", "keep-alive"}}));
  EXPECT_FALSE(stays(10, {}));
  EXPECT_TRUE(stays(10, {{"Connection", "Keep-Alive"}}));
}

TEST(Framing, IgnoresExpectationsOfHttp10) {
  const std::vector<HeaderField> headers{kHost, {"Expect", "100-continue"}};
  EXPECT_TRUE(CheckFraming(11, headers)->expects_continue);
  EXPECT_FALSE(CheckFraming(10, headers)->expects_continue);
}

TEST(OriginForm, IsAPathAndAQuery) {
  for (const std::string_view good : {"/", "/a", "//", "/a?b=c?d", "/%00", "/?q=\xc3\xa9"}) {
    EXPECT_TRUE(IsOriginForm(good)) << good;
  }
  for (const std::string_view bad :
       {"", "*", "?", "a", "http://a/", "a:80", "/\xc3\xa9", "/\x7f"}) {
    EXPECT_FALSE(IsOriginForm(bad)) << bad;
  }
}

}  // namespace
}  // namespace platform::http
