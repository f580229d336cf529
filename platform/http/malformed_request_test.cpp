#include <fmt/format.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "platform/http/testing/handler.h"
#include "platform/http/testing/raw_client.h"
#include "platform/http/testing/running_server.h"

// Requests that a lenient server accepts, so that a proxy in front could interpret them in another
// way than we do. Each is answered once, with a client error, and the connection is closed.
namespace platform::http {
namespace {

using std::string_literals::operator""s;

struct Malformed {
  const char* label;
  std::string request;
};

void PrintTo(const Malformed& row, std::ostream* out) { *out << row.label; }

// Returns a POST whose body is delimited by `fields`.
std::string Post(std::string_view fields, std::string_view body = "hello") {
  return fmt::format("POST /echo HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n{}", fields, body);
}
std::string Chunked(std::string_view body) { return Post("Transfer-Encoding: chunked", body); }
std::string Get(std::string_view target) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target);
}
std::string WithField(std::string_view line) {
  return fmt::format("GET /echo HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n", line);
}
std::string WithLine(std::string_view line) { return fmt::format("{}\r\nHost: a\r\n\r\n", line); }

const std::vector<Malformed> kFraming{
    {"encoding_gzip", Post("Transfer-Encoding: gzip")},
    {"encoding_gzip_chunked", Post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n")},
    {"encoding_xchunked", Post("Transfer-Encoding: xchunked", "0\r\n\r\n")},
    {"encoding_chunkedx", Post("Transfer-Encoding: chunkedx", "0\r\n\r\n")},
    {"encoding_chunked_chunked", Post("Transfer-Encoding: chunked, chunked", "0\r\n\r\n")},
    {"encoding_chunked_gzip", Post("Transfer-Encoding: chunked, gzip", "0\r\n\r\n")},
    {"encoding_chunked_comma", Post("Transfer-Encoding: chunked,", "0\r\n\r\n")},
    {"encoding_comma_chunked", Post("Transfer-Encoding: ,chunked", "0\r\n\r\n")},
    {"encoding_quoted", Post("Transfer-Encoding: \"chunked\"", "0\r\n\r\n")},
    {"encoding_identity", Post("Transfer-Encoding: identity")},
    {"encoding_empty", Post("Transfer-Encoding:")},
    {"encoding_vertical_tab", Post("Transfer-Encoding: \vchunked", "0\r\n\r\n")},
    {"encoding_twice",
     Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")},
    {"encoding_other_then_chunked",
     Post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "0\r\n\r\n")},
    {"encoding_beside_length",
     Post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n")},
    {"length_beside_encoding",
     Post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n")},
    {"encoding_in_http10", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"length_twice", Post("Content-Length: 5\r\nContent-Length: 5")},
    {"length_twice_different", Post("Content-Length: 5\r\nContent-Length: 6")},
    {"length_listed", Post("Content-Length: 5, 5")},
    {"length_listed_different", Post("Content-Length: 5,6")},
    {"length_negative", Post("Content-Length: -1")},
    {"length_signed", Post("Content-Length: +5")},
    {"length_hex", Post("Content-Length: 0x5")},
    {"length_text", Post("Content-Length: five")},
    {"length_trailing", Post("Content-Length: 5x")},
    {"length_inner_space", Post("Content-Length: 5 5")},
    {"length_empty", Post("Content-Length:")},
    {"length_fraction", Post("Content-Length: 5.0")},
    {"length_huge", Post("Content-Length: 99999999999")},
    {"length_max", Post("Content-Length: 18446744073709551615")},
    {"length_overflow", Post("Content-Length: 18446744073709551621")},
    {"length_space_before_colon", Post("Content-Length : 5")},
    {"encoding_space_before_colon", Post("Transfer-Encoding : chunked", "0\r\n\r\n")},
};

const std::vector<Malformed> kChunks{
    {"chunk_negative", Chunked("-1\r\nhello\r\n0\r\n\r\n")},
    {"chunk_signed", Chunked("+5\r\nhello\r\n0\r\n\r\n")},
    {"chunk_0x", Chunked("0x5\r\nhello\r\n0\r\n\r\n")},
    {"chunk_not_hex", Chunked("g\r\nhello\r\n0\r\n\r\n")},
    {"chunk_empty_size", Chunked("\r\nhello\r\n0\r\n\r\n")},
    {"chunk_leading_space", Chunked(" 5\r\nhello\r\n0\r\n\r\n")},
    {"chunk_huge", Chunked("ffffffff\r\nhello\r\n0\r\n\r\n")},
    {"chunk_max", Chunked("ffffffffffffffff\r\nhello\r\n0\r\n\r\n")},
    {"chunk_overflow", Chunked("10000000000000005\r\nhello\r\n0\r\n\r\n")},
    {"chunk_bare_lf_after_size", Chunked("5\nhello\r\n0\r\n\r\n")},
    {"chunk_bare_cr_after_size", Chunked("5\rhello\r\n0\r\n\r\n")},
    {"chunk_bare_lf_in_extension", Chunked("5;a\nhello\r\n0\r\n\r\n")},
    {"chunk_bad_extension", Chunked("5;\x01\r\nhello\r\n0\r\n\r\n")},
    {"chunk_extension", Chunked("5;a\r\nhello\r\n0\r\n\r\n")},
    {"chunk_extension_with_value", Chunked("5;a=b\r\nhello\r\n0\r\n\r\n")},
    {"chunk_extension_after_space", Chunked("5 ;a\r\nhello\r\n0\r\n\r\n")},
    {"chunk_extension_of_the_second", Chunked("5\r\nhello\r\n5;a\r\nhello\r\n0\r\n\r\n")},
    {"chunk_extension_of_the_last", Chunked("5\r\nhello\r\n0;a\r\n\r\n")},
    {"chunk_bare_lf_in_quotes", Chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n")},
    {"chunk_nul_in_quotes", Chunked("5;a=\"\0\"\r\nhello\r\n0\r\n\r\n"s)},
    {"chunk_control_in_quotes", Chunked("5;a=\"\x01\"\r\nhello\r\n0\r\n\r\n")},
    {"chunk_crlf_in_quotes", Chunked("5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n")},
    {"chunk_nul_after_size", Chunked("5\0\r\nhello\r\n0\r\n\r\n"s)},
    {"chunk_longer_than_size", Chunked("4\r\nhello\r\n0\r\n\r\n")},
    {"chunk_no_crlf_after_data", Chunked("5\r\nhello0\r\n\r\n")},
    {"chunk_bare_lf_after_data", Chunked("5\r\nhello\n0\r\n\r\n")},
    {"chunk_bare_lf_at_end", Chunked("5\r\nhello\r\n0\n\n")},
    {"trailer_without_colon", Chunked("0\r\ntrailer\r\n\r\n")},
    {"trailer_space_before_colon", Chunked("0\r\nA : b\r\n\r\n")},
    {"trailer_nul", Chunked("0\r\nA: \0\r\n\r\n"s)},
    {"trailer_bare_lf", Chunked("0\r\nA: b\nB: c\r\n\r\n")},
};

const std::vector<Malformed> kLines{
    {"bare_lf_everywhere", "GET /echo HTTP/1.1\nHost: a\n\n"},
    {"bare_lf_after_line", "GET /echo HTTP/1.1\nHost: a\r\n\r\n"},
    {"bare_lf_after_field", "GET /echo HTTP/1.1\r\nHost: a\n\r\n"},
    {"bare_lf_at_end", "GET /echo HTTP/1.1\r\nHost: a\r\n\n"},
    {"bare_lf_in_value", WithField("X: a\nb: c")},
    {"bare_cr_in_line", WithLine("GET /echo\rHTTP/1.1")},
    {"bare_cr_in_value", WithField("X: a\rb")},
    {"bare_cr_in_name", WithField("X\r: a")},
    {"double_cr", "GET /echo HTTP/1.1\r\r\nHost: a\r\n\r\n"},
    {"empty_line_first", "\r\n" + Get("/echo")},
    {"nul_in_method", WithLine("G\0T /echo HTTP/1.1"s)},
    {"nul_in_target", Get("/ec\0ho"s)},
    {"nul_in_name", WithField("X\0: a"s)},
    {"nul_in_value", WithField("X: a\0"s)},
    {"control_in_value", WithField("X: a\x01")},
    {"delete_in_value", WithField("X: a\x7f")},
    {"folded_by_space", WithField("X: a\r\n b")},
    {"folded_by_tab", WithField("X: a\r\n\tb")},
    {"folded_first", "GET /echo HTTP/1.1\r\n Host: a\r\n\r\n"},
    {"folded_empty", WithField("X: a\r\n ")},
    {"space_before_colon", WithField("X : a")},
    {"tab_before_colon", WithField("X\t: a")},
    {"no_colon", WithField("X")},
    {"no_name", WithField(": a")},
    {"space_in_name", WithField("X Y: a")},
    {"name_not_ascii", WithField("\xc3\xa9: a")},
    {"bracket_in_name", WithField("X[]: a")},
    {"no_host", "GET /echo HTTP/1.1\r\n\r\n"},
    {"two_hosts", WithField("Host: b")},
    {"empty_host", "GET /echo HTTP/1.1\r\nHost:\r\n\r\n"},
    {"host_with_space", "GET /echo HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {"host_with_path", "GET /echo HTTP/1.1\r\nHost: a/echo\r\n\r\n"},
    {"expectation", WithField("Expect: tea")},
};

const std::vector<Malformed> kRequestLines{
    {"absolute_form", Get("http://a/echo")},
    {"absolute_form_of_another_host", Get("http://b/echo")},
    {"asterisk_form", WithLine("OPTIONS * HTTP/1.1")},
    {"authority_form", WithLine("CONNECT a:80 HTTP/1.1")},
    {"relative_target", Get("echo")},
    {"query_only", Get("?a=b")},
    {"no_target", WithLine("GET HTTP/1.1")},
    {"empty_target", WithLine("GET  HTTP/1.1")},
    {"control_in_target", Get("/ec\x01ho")},
    {"delete_in_target", Get("/ec\x7fho")},
    {"path_not_ascii", Get("/\xc3\xa9")},
    {"space_in_target", Get("/echo /echo")},
    {"two_spaces_before_target", Get(" /echo")},
    {"two_spaces_before_version", WithLine("GET /echo  HTTP/1.1")},
    {"tab_before_target", WithLine("GET\t/echo HTTP/1.1")},
    {"tab_before_version", WithLine("GET /echo\tHTTP/1.1")},
    {"space_first", " " + Get("/echo")},
    {"space_last", WithLine("GET /echo HTTP/1.1 ")},
    {"no_version", WithLine("GET /echo")},
    {"empty_version", WithLine("GET /echo ")},
    {"version_09", WithLine("GET /echo HTTP/0.9")},
    {"version_12", WithLine("GET /echo HTTP/1.2")},
    {"version_20", WithLine("GET /echo HTTP/2.0")},
    {"version_2", WithLine("GET /echo HTTP/2")},
    {"version_1", WithLine("GET /echo HTTP/1")},
    {"version_11_without_dot", WithLine("GET /echo HTTP/11")},
    {"version_1_10", WithLine("GET /echo HTTP/1.10")},
    {"version_01_1", WithLine("GET /echo HTTP/01.1")},
    {"version_lower_case", WithLine("GET /echo http/1.1")},
    {"version_of_icy", WithLine("GET /echo ICY/1.1")},
    {"http2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    {"tls_hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"s},
    {"no_method", WithLine(" /echo HTTP/1.1")},
    {"empty_method", WithLine("/echo HTTP/1.1")},
    {"method_not_ascii", WithLine("\xc3\xa9 /echo HTTP/1.1")},
    {"method_with_bracket", WithLine("G[T /echo HTTP/1.1")},
    {"only_spaces", WithLine("   ")},
};

class MalformedRequests : public ::testing::TestWithParam<Malformed> {
 protected:
  // Returns the server's answer to `sent`, up to its end; counts calls of the handler in `calls`.
  static std::string Exchange(const std::string& sent, int& calls) {
    testing::RunningServer server(testing::MakeHandler(&calls));
    testing::RawClient client(server.port());
    client.Send(sent);
    return client.ReadToEnd();
  }

  static void ExpectRefusal(std::string_view said) {
    EXPECT_TRUE(said.starts_with("HTTP/1.1 4")) << said;
    EXPECT_NE(said.find("\r\nConnection: close\r\n"), std::string_view::npos) << said;
    EXPECT_EQ(said.find("HTTP/1.1 ", 1), std::string_view::npos) << said;
  }
};

TEST_P(MalformedRequests, AreRefusedOnceAndTheConnectionIsClosed) {
  int calls = 0;
  ExpectRefusal(Exchange(GetParam().request + Get("/echo?next"), calls));
  EXPECT_EQ(calls, 0);
}

TEST_P(MalformedRequests, AreRefusedAfterAGoodOne) {
  int calls = 0;
  const std::string said = Exchange(Get("/nothing") + GetParam().request + Get("/echo"), calls);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(said.starts_with("HTTP/1.1 204 No Content\r\n")) << said;
  const std::size_t end = said.find("\r\n\r\n") + 4;
  ExpectRefusal(std::string_view(said).substr(end));
}

std::string LabelOf(const ::testing::TestParamInfo<Malformed>& row) { return row.param.label; }

INSTANTIATE_TEST_SUITE_P(Framing, MalformedRequests, ::testing::ValuesIn(kFraming), LabelOf);
INSTANTIATE_TEST_SUITE_P(Chunks, MalformedRequests, ::testing::ValuesIn(kChunks), LabelOf);
INSTANTIATE_TEST_SUITE_P(Lines, MalformedRequests, ::testing::ValuesIn(kLines), LabelOf);
INSTANTIATE_TEST_SUITE_P(RequestLines, MalformedRequests, ::testing::ValuesIn(kRequestLines),
                         LabelOf);

}  // namespace
}  // namespace platform::http
