#include "platform/http/server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>

#include "platform/http/testing/handler.h"
#include "platform/http/testing/raw_client.h"
#include "platform/http/testing/running_server.h"

namespace platform::http {
namespace {

using std::chrono::milliseconds;
using testing::Answer;
using testing::MakeHandler;
using testing::RawClient;
using testing::RunningServer;

constexpr std::string_view kGet = "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n";

std::string Get(std::string_view target, std::string_view fields = "") {
  std::string request = "GET ";
  request.append(target).append(" HTTP/1.1\r\nHost: a\r\n").append(fields);
  return request += "\r\n";
}

TEST(Server, AnswersAndKeepsTheConnection) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    const Answer answer =
        client.Ask("POST /echo?a=%20b?c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "POST /echo a=%20b?c hello");
    EXPECT_TRUE(answer.head.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(answer.Header("Content-Type"), "text/plain");
    EXPECT_EQ(answer.Header("Connection"), "keep-alive");
    EXPECT_EQ(answer.Header("Cache-Control"), "no-store");
    EXPECT_EQ(answer.Header("X-Content-Type-Options"), "nosniff");
    EXPECT_TRUE(answer.Header("Date"));
  }
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  std::string requests = Get("/later?50");
  for (int i = 0; i < 100; ++i) {
    requests += "POST /echo?" + std::to_string(i) +
                " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
  }
  client.Send(requests);
  EXPECT_EQ(client.Read().body, "late");
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client.Read().body, "POST /echo " + std::to_string(i) + " hi");
  }
}

TEST(Server, ReadsRequestsThatComeByteByByte) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  const std::string request =
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: x\r\n\r\n";
  for (const char byte : request + request) client.Send({&byte, 1});
  EXPECT_EQ(client.Read().body, "POST /echo  abcd");
  EXPECT_EQ(client.Read().body, "POST /echo  abcd");
}

TEST(Server, ClosesAfterHttp10UnlessAskedNotTo) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  const Answer kept = client.Ask("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(kept.status, 200);
  EXPECT_EQ(kept.Header("Connection"), "keep-alive");
  const Answer last = client.Ask("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_EQ(last.status, 200);
  EXPECT_EQ(last.Header("Connection"), "close");
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST(Server, ClosesWhenAskedTo) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  client.Send(Get("/echo", "Connection: close\r\n") + std::string(kGet));
  EXPECT_EQ(client.Read().Header("Connection"), "close");
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST(Server, AnswersWhoHasFinishedSending) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  client.Send(kGet);
  client.CloseSending();
  EXPECT_EQ(client.Read().status, 200);
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST(Server, LeavesOutTheBodyForHead) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  const Answer head = client.Ask("HEAD /large?5000 HTTP/1.1\r\nHost: a\r\n\r\n", /*is_head=*/true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Header("Content-Length"), "5000");
  EXPECT_EQ(client.Ask(kGet).body, "GET /echo  ");  // Nothing arrived in between.
}

TEST(Server, SendsStaticContentAsItIs) {
  static const std::string content(2'000'000, 's');
  RunningServer server([](const Request&) -> Task<Response> {
    co_return Response{.body = "not this", .static_body = content};
  });
  RawClient client(server.port());
  const Answer answer = client.Ask(kGet);
  EXPECT_EQ(answer.Header("Content-Length"), "2000000");
  EXPECT_TRUE(answer.body == content);
  EXPECT_EQ(
      client.Ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", /*is_head=*/true).Header("Content-Length"),
      "2000000");
  EXPECT_TRUE(client.Ask(kGet).body == content);  // Nothing arrived in between.
}

TEST(Server, GivesNoContentNoLength) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  const Answer answer = client.Ask(Get("/nothing"));
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.Header("Content-Length"), std::nullopt);
  EXPECT_EQ(answer.Header("Content-Type"), "application/json");
  EXPECT_EQ(client.Ask(kGet).status, 200);
}

TEST(Server, AsksForTheBodyThatWaitsForIt) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  const Answer interim = client.Ask(head);
  EXPECT_EQ(interim.status, 100);
  EXPECT_EQ(client.Ask("hi").body, "POST /echo  hi");
  // A client that does not wait gets no 100.
  EXPECT_EQ(client.Ask(head + "ho").body, "POST /echo  ho");
}

TEST(Server, DoesNotAskForABodyThatItWillNotTake) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  const Answer answer = client.Ask(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n\r\n");
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST(Server, TakesPathsLiterally) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  for (const auto* path : {"/%65cho", "//echo", "/echo/", "/./echo", "/a/../echo", "/ECHO", "/"}) {
    EXPECT_EQ(client.Ask(Get(path)).status, 404) << path;
  }
}

TEST(Server, GivesEachRequestAnId) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  const auto id = [&](const std::string& fields) {
    return client.Ask(Get("/echo", fields)).Header("X-Request-ID").value_or("");
  };
  EXPECT_EQ(id("x-request-id: Order-42_a.b:c\r\n"), "Order-42_a.b:c");
  EXPECT_EQ(id("X-Request-ID: " + std::string(128, 'a') + "\r\n"), std::string(128, 'a'));
  std::set<std::string> made;
  for (const std::string& bad : {std::string(), std::string(129, 'a'), std::string("a b"),
                                 std::string("a\"b"), std::string("\xc3\xa9")}) {
    made.insert(id(bad.empty() ? "" : "X-Request-ID: " + bad + "\r\n"));
  }
  EXPECT_EQ(made.size(), 5U);
  for (const std::string& one : made) {
    EXPECT_EQ(one.size(), 32U);
    EXPECT_EQ(one.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
}

TEST(Server, EchoesTheIdOfARefusedRequest) {
  RunningServer server(MakeHandler());
  const auto* const fields = "X-Request-ID: mine\r\nContent-Length: 70000\r\n";
  EXPECT_EQ(RawClient(server.port()).Ask(Get("/echo", fields)).Header("X-Request-ID"), "mine");
}

TEST(Server, ClosesWhenTheHandlerThrows) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  client.Send(Get("/throw"));
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(RawClient(server.port()).Ask(kGet).status, 200);
}

TEST(Server, OutlivesClientsThatLeaveAtAnyByte) {
  int calls = 0;
  {
    RunningServer server(MakeHandler(&calls));
    const std::string request =
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for (std::size_t size = 0; size <= request.size(); ++size) {
      const std::string_view part = std::string_view(request).substr(0, size);
      RawClient leaving(server.port());
      leaving.Send(part);
      RawClient resetting(server.port());
      resetting.Send(part);
      resetting.ResetOnClose();
    }
    EXPECT_EQ(RawClient(server.port()).Ask(kGet).status, 200);
  }
  EXPECT_GE(calls, 2);
  EXPECT_LE(calls, 3);  // A reset can overtake the request.
}

// Stopping.

TEST(Stop, ClosesIdleConnectionsAndTakesNoNewOnes) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  EXPECT_EQ(client.Ask(kGet).status, 200);
  const std::future<void> stopped = server.Stop(milliseconds(5000));
  EXPECT_EQ(stopped.wait_for(milliseconds(3000)), std::future_status::ready);
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_THROW(RawClient(server.port()), std::system_error);
}

TEST(Stop, LetsRequestsInFlightFinish) {
  RunningServer server(MakeHandler());
  RawClient handled(server.port());
  handled.Send(Get("/later?1000"));
  RawClient half_sent(server.port());
  half_sent.Send(kGet.substr(0, 20));
  RawClient half_body(server.port());
  half_body.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh");
  std::this_thread::sleep_for(milliseconds(100));

  std::future<void> stopped = server.Stop(milliseconds(5000));
  half_sent.Send(kGet.substr(20));
  half_body.Send("i");
  for (RawClient* client : {&half_sent, &half_body, &handled}) {
    const Answer answer = client->Read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.Header("Connection"), "close");
    EXPECT_EQ(client->ReadToEnd(), "");
  }
  EXPECT_EQ(stopped.wait_for(milliseconds(3000)), std::future_status::ready);
}

TEST(Stop, AnswersConnectionsThatWaitToBeAccepted) {
  RunningServer server(MakeHandler());
  server.Block(milliseconds(300));
  RawClient asked(server.port());
  asked.Send(kGet);
  const RawClient silent(server.port());
  RawClient about_to_ask(server.port());
  std::future<void> stopped = server.Stop(milliseconds(5000));
  std::this_thread::sleep_for(milliseconds(500));
  about_to_ask.Send(kGet);
  for (RawClient* client : {&asked, &about_to_ask}) {
    const Answer answer = client->Read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.Header("Connection"), "close");
  }
  // Idle connections do not delay the end.
  EXPECT_EQ(stopped.wait_for(milliseconds(3000)), std::future_status::ready);
}

TEST(Stop, CutsWhatOutlastsTheGrace) {
  RunningServer server(MakeHandler());
  RawClient handled(server.port());
  handled.Send(Get("/later?60000"));
  RawClient half_sent(server.port());
  half_sent.Send(kGet.substr(0, 20));
  std::this_thread::sleep_for(milliseconds(100));
  const auto began = std::chrono::steady_clock::now();
  server.Stop(milliseconds(200)).get();
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, milliseconds(200));
  EXPECT_LT(took, milliseconds(5000));
  EXPECT_EQ(handled.ReadToEnd(), "");
  EXPECT_EQ(half_sent.ReadToEnd(), "");
}

// Lifetime, which the sanitizers check.

TEST(Lifetime, EndsWithConnectionsInEveryState) {
  for (const bool server_first : {true, false}) {
    std::optional<RunningServer> server(std::in_place, MakeHandler());
    RawClient idle(server->port());
    EXPECT_EQ(idle.Ask(kGet).status, 200);
    RawClient new_one(server->port());
    RawClient in_head(server->port());
    in_head.Send(kGet.substr(0, 20));
    RawClient in_body(server->port());
    in_body.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh");
    RawClient handled(server->port());
    handled.Send(Get("/later?60000"));
    RawClient finishing(server->port());
    finishing.Send(Get("/later?1500"));
    RawClient written(server->port(), 4096);
    written.Send(Get("/large?30000000"));
    RawClient lingering(server->port());
    EXPECT_EQ(lingering.Ask("\r\n").status, 400);
    std::this_thread::sleep_for(milliseconds(100));

    if (server_first) {
      server->Destroy();
      for (RawClient* client : {&idle, &new_one, &in_head, &in_body, &finishing}) {
        EXPECT_EQ(client->ReadToEnd(), "");
      }
    }
    server.reset();
    EXPECT_EQ(handled.ReadToEnd(), "");
    EXPECT_LT(written.ReadToEnd().size(), 30'000'000U);
  }
}

}  // namespace
}  // namespace platform::http
