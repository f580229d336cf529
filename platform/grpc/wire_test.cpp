#include "platform/grpc/wire.h"

#include <gtest/gtest.h>

#include "platform/grpc/testing/echo.pb.h"

namespace platform::grpc::internal {
namespace {

using namespace std::chrono_literals;

std::string Framed(const std::string& text) {
  testing::EchoReply reply;
  reply.set_text(text);
  return Frame(reply);
}

std::string TextOf(const std::string& message) {
  testing::EchoReply reply;
  EXPECT_TRUE(reply.ParseFromString(message));
  return reply.text();
}

TEST(MessageParserTest, CutsBytesHoweverTheyArrive) {
  const std::string bytes = Framed("one") + Framed("") + Framed(std::string(1000, 'x'));
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    MessageParser parser(2000);
    std::deque<std::string> messages;
    for (std::size_t i = 0; i < bytes.size(); i += step) {
      ASSERT_TRUE(parser.Add(std::string_view(bytes).substr(i, step), messages).ok());
    }
    ASSERT_EQ(messages.size(), 3U);
    EXPECT_EQ(TextOf(messages[0]), "one");
    EXPECT_EQ(TextOf(messages[1]), "");
    EXPECT_EQ(TextOf(messages[2]), std::string(1000, 'x'));
    EXPECT_FALSE(parser.IsInMessage());
  }
}

TEST(MessageParserTest, KnowsAnIncompleteMessage) {
  MessageParser parser(100);
  std::deque<std::string> messages;
  EXPECT_TRUE(parser.Add(std::string_view("\0\0", 2), messages).ok());
  EXPECT_TRUE(parser.IsInMessage());
}

TEST(MessageParserTest, RefusesCompressedAndLargeMessages) {
  std::deque<std::string> messages;
  EXPECT_EQ(MessageParser(100).Add(std::string_view("\1\0\0\0\1x", 6), messages).code,
            StatusCode::kUnimplemented);
  EXPECT_EQ(MessageParser(100).Add(std::string_view("\0\0\0\0\x65", 5), messages).code,
            StatusCode::kResourceExhausted);
  EXPECT_EQ(MessageParser(100).Add(std::string_view("\0\xff\xff\xff\xff", 5), messages).code,
            StatusCode::kResourceExhausted);
  EXPECT_TRUE(messages.empty());
}

TEST(TimeoutTest, ReadsEachUnit) {
  EXPECT_EQ(ParseTimeout("2H"), 2h);
  EXPECT_EQ(ParseTimeout("3M"), 3min);
  EXPECT_EQ(ParseTimeout("4S"), 4s);
  EXPECT_EQ(ParseTimeout("99999999m"), 99999999ms);
  EXPECT_EQ(ParseTimeout("1500u"), 2ms);
  EXPECT_EQ(ParseTimeout("1n"), 1ms);
  EXPECT_EQ(ParseTimeout("0m"), 0ms);
  EXPECT_EQ(ParseTimeout("99999999H"), 876'000h);
}

TEST(TimeoutTest, KnowsMalformedOnes) {
  for (const char* value : {"", "1", "m", "123456789m", "-1m", "+1m", "1.5S", "1x", " 1m", "1 m"}) {
    EXPECT_FALSE(ParseTimeout(value)) << value;
  }
}

TEST(TimeoutTest, WritesWhatItReads) {
  for (const auto timeout : {0ms, 1ms, 2000ms, 99'999'999ms}) {
    EXPECT_EQ(ParseTimeout(FormatTimeout(timeout)), timeout);
  }
  EXPECT_EQ(ParseTimeout(FormatTimeout(1'000'000h)), 99'999'999s);
  EXPECT_EQ(FormatTimeout(-5ms), "0m");
}

TEST(StatusMessageTest, EncodesWhatHeadersCannotHold) {
  EXPECT_EQ(EncodeStatusMessage("Token is revoked"), "Token is revoked");
  EXPECT_EQ(EncodeStatusMessage("100 %\né"), "100 %25%0A%C3%A9");
}

TEST(StatusMessageTest, DecodesWhatItEncodes) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(DecodeStatusMessage(EncodeStatusMessage(all)), all);
  EXPECT_EQ(DecodeStatusMessage("%c3%a9"), "é");
}

TEST(StatusMessageTest, KeepsMalformedEscapes) {
  EXPECT_EQ(DecodeStatusMessage("%"), "%");
  EXPECT_EQ(DecodeStatusMessage("%4"), "%4");
  EXPECT_EQ(DecodeStatusMessage("%zz%41"), "%zzA");
}

TEST(ContentTypeTest, BelongsToGrpc) {
  EXPECT_TRUE(IsGrpcContentType("application/grpc"));
  EXPECT_TRUE(IsGrpcContentType("application/grpc+proto"));
  EXPECT_TRUE(IsGrpcContentType("application/grpc;charset=utf-8"));
  EXPECT_FALSE(IsGrpcContentType("application/grpcweb"));
  EXPECT_FALSE(IsGrpcContentType("application/json"));
  EXPECT_FALSE(IsGrpcContentType(""));
}

}  // namespace
}  // namespace platform::grpc::internal
