#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "platform/http/testing/handler.h"
#include "platform/http/testing/raw_client.h"
#include "platform/http/testing/running_server.h"

// Tests the facts that the server derives from a request before it is handled, and the headers that
// it adds to the answer.
namespace platform::http {
namespace {

using testing::Answer;
using ::testing::HasSubstr;
using testing::MakeHandler;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::RawClient;
using testing::RunningServer;

constexpr const char* kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";

std::string Get(std::string_view fields) {
  return fmt::format("GET /echo HTTP/1.1\r\nHost: a\r\n{}\r\n", fields);
}

// Answers "<client> <id> <trace id> <flags>".
Handler MakeMirror() {
  return [](const Request& request) -> Task<Response> {
    request.NoteUser(7);
    co_return Response{.body = fmt::format("{} {} {} {}", request.client, request.id,
                                           request.trace.trace_id(), request.trace.is_sampled()),
                       .content_type = "text/plain"};
  };
}

TEST(ServerOptions, AProxyTellsTheClientsAddressOnEachRequest) {
  const RunningServer server(
      MakeMirror(), ServerOptions{.trusted_proxies = TrustedProxies::Parse("127.0.0.1").value()});
  RawClient client(server.port());
  for (const char* address : {"203.0.113.9", "2001:db8::1"}) {
    EXPECT_THAT(client.Ask(Get(fmt::format("X-Forwarded-For: {}\r\n", address))).body,
                ::testing::StartsWith(fmt::format("{} ", address)));
  }
  EXPECT_THAT(client.Ask(Get("")).body, ::testing::StartsWith("127.0.0.1 "));
}

TEST(ServerOptions, NobodyElseDoes) {
  const RunningServer server(MakeMirror());
  RawClient client(server.port());
  EXPECT_THAT(client.Ask(Get("X-Forwarded-For: 203.0.113.9\r\n")).body,
              ::testing::StartsWith("127.0.0.1 "));
}

TEST(ServerOptions, ARequestContinuesItsTrace) {
  const RunningServer server(MakeMirror());
  RawClient client(server.port());
  EXPECT_EQ(client
                .Ask(Get(fmt::format("X-Request-ID: a-1\r\nTRACEPARENT: 00-{}-00f067aa0ba902b7-01"
                                     "\r\n",
                                     kTrace)))
                .body,
            fmt::format("127.0.0.1 a-1 {} true", kTrace));
  // The id is not the previous request's.
  EXPECT_THAT(client.Ask(Get("")).body, Not(HasSubstr(kTrace)));
  EXPECT_THAT(client.Ask(Get("traceparent: nonsense\r\n")).body,
              MatchesRegex("127.0.0.1 [0-9a-f]+ [0-9a-f]+ false"));
}

TEST(ServerOptions, TwoTracesAreNone) {
  const RunningServer server(MakeMirror());
  RawClient client(server.port());
  const std::string field = fmt::format("traceparent: 00-{}-00f067aa0ba902b7-01\r\n", kTrace);
  EXPECT_THAT(client.Ask(Get(field + field)).body, Not(HasSubstr(kTrace)));
  EXPECT_THAT(client.Ask(Get(field + field + field)).body, Not(HasSubstr(kTrace)));
}

TEST(ServerOptions, AllowedOriginsAreToldInRefusalsToo) {
  const RunningServer server(
      MakeHandler(), ServerOptions{.limits = {.body_bytes = 10},
                                   .cors = CorsPolicy::Parse("https://shop.example").value()});
  RawClient client(server.port());
  const std::string origin = "Origin: https://shop.example\r\n";
  for (const std::string& request :
       {Get(origin), fmt::format("GET /unknown HTTP/1.1\r\nHost: a\r\n{}\r\n", origin),
        fmt::format("POST /echo HTTP/1.1\r\nHost: a\r\n{}Content-Length: 11\r\n\r\n", origin)}) {
    const Answer answer = client.Ask(request);
    EXPECT_EQ(answer.Header("Access-Control-Allow-Origin"), "https://shop.example");
    EXPECT_EQ(answer.Header("Vary"), "Origin");
  }
}

TEST(ServerOptions, OriginsOfOneRequestAreNotThoseOfTheNext) {
  const RunningServer server(
      MakeHandler(), ServerOptions{.cors = CorsPolicy::Parse("https://shop.example").value()});
  RawClient client(server.port());
  EXPECT_TRUE(
      client.Ask(Get("Origin: https://shop.example\r\n")).Header("Access-Control-Allow-Origin"));
  EXPECT_FALSE(client.Ask(Get("")).Header("Access-Control-Allow-Origin"));
  client.Send("GET / HTTP/1.1\nbroken\n\n");
  const Answer refusal = client.Read();
  EXPECT_EQ(refusal.status, 400);
  EXPECT_FALSE(refusal.Header("Access-Control-Allow-Origin"));
}

}  // namespace
}  // namespace platform::http
