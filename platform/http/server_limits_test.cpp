#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "platform/http/server.h"
#include "platform/http/server_metrics.h"
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
using Clock = std::chrono::steady_clock;

constexpr std::string_view kGet = "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n";

// The server checks its deadlines a few times a second.
constexpr milliseconds kShort{100};
constexpr milliseconds kAtMost{5000};

// Sends `bytes` repeatedly, until there is an answer or the end.
void Trickle(const RawClient& client, std::string_view bytes) {
  const auto end = Clock::now() + std::chrono::seconds(5);
  while (Clock::now() < end && !client.Wait(milliseconds(20))) client.Send(bytes);
}

// Expects that this answer is the last one and has the status.
void ExpectRefused(RawClient& client, int status) {
  const Answer answer = client.Read();
  EXPECT_EQ(answer.status, status);
  EXPECT_EQ(answer.Header("Connection"), "close");
  EXPECT_TRUE(answer.body.starts_with(R"({"error":{"code":")")) << answer.body;
  EXPECT_EQ(client.ReadToEnd(), "");
}

std::string Head(std::size_t size) {
  const std::string start = "GET /echo HTTP/1.1\r\nHost: a\r\nX: ";
  return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
}

TEST(Limits, OfTheHead) {
  RunningServer server(MakeHandler(), {.head_bytes = 1000});
  RawClient client(server.port());
  EXPECT_EQ(client.Ask(Head(1000) + Head(1000)).status, 200);
  EXPECT_EQ(client.Read().status, 200);
  client.Send(Head(1001));
  ExpectRefused(client, 431);

  RawClient endless(server.port());
  Trickle(endless, std::string(100, 'x'));
  ExpectRefused(endless, 431);
}

TEST(Limits, OfTheHeadByDefault) {
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  EXPECT_EQ(client.Ask(Head(std::size_t{16} * 1024)).status, 200);
  client.Send(Head((std::size_t{16} * 1024) + 1));
  ExpectRefused(client, 431);
}

TEST(Limits, OfABodyByItsLength) {
  RunningServer server(MakeHandler(), {.body_bytes = 1000});
  RawClient client(server.port());
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ";
  const std::string body(1000, 'x');
  EXPECT_EQ(client.Ask(head + "1000\r\n\r\n" + body).body, "POST /echo  " + body);
  client.Send(head + "1001\r\n\r\n");  // Refused before the chunk arrives.
  ExpectRefused(client, 413);
}

TEST(Limits, OfABodyByItsChunks) {
  RunningServer server(MakeHandler(), {.head_bytes = 200, .body_bytes = 1000});
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string chunk = "1f4\r\n" + std::string(500, 'x') + "\r\n";
  RawClient client(server.port());
  EXPECT_EQ(client.Ask(head + chunk + chunk + "0\r\n\r\n").status, 200);
  client.Send(head + chunk + chunk + "1\r\nx\r\n0\r\n\r\n");
  ExpectRefused(client, 413);

  RawClient announced(server.port());
  announced.Send(head + "3e9\r\n");
  ExpectRefused(announced, 413);

  RawClient endless(server.port());
  endless.Send(head);
  Trickle(endless, chunk);
  ExpectRefused(endless, 413);
}

TEST(Limits, OfChunkExtensionsAndTrailers) {
  RunningServer server(MakeHandler(), {.head_bytes = 1000});
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string start : {"1;a=", "0\r\nTrailer: ", "0\r\n"}) {
    RawClient client(server.port());
    client.Send(head + start);
    Trickle(client, start == "0\r\n" ? "T: xxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n" : "xxxxxxxxxxxxxxxx");
    ExpectRefused(client, 400);
  }
}

TEST(Limits, OfALargeBodyAfterARefusal) {
  // The answer arrives although the client continues to send for a while.
  RunningServer server(MakeHandler());
  RawClient client(server.port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" +
              std::string(200'000, 'x'));
  ExpectRefused(client, 413);
}

TEST(Limits, OfRequestsPerConnection) {
  RunningServer server(MakeHandler(), {.requests_per_connection = 3});
  RawClient client(server.port());
  EXPECT_EQ(client.Ask(kGet).Header("Connection"), "keep-alive");
  EXPECT_EQ(client.Ask(kGet).Header("Connection"), "keep-alive");
  EXPECT_EQ(client.Ask(kGet).Header("Connection"), "close");
  EXPECT_EQ(client.ReadToEnd(), "");
}

constexpr std::string_view kBusyWithBody =
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";

TEST(Connections, ThatWaitLongestMakeRoom) {
  RunningServer server(MakeHandler(), {.connections = 3});
  RawClient oldest(server.port());
  RawClient slow(server.port());  // Half of a head is no reason to be kept.
  RawClient busy(server.port());
  EXPECT_EQ(oldest.Ask(kGet).status, 200);
  EXPECT_EQ(slow.Ask(kGet).status, 200);
  slow.Send("GET");
  EXPECT_EQ(busy.Ask(kBusyWithBody).status, 100);

  RawClient fourth(server.port());
  EXPECT_EQ(fourth.Ask(kGet).status, 200);
  EXPECT_EQ(oldest.ReadToEnd(), "");
  RawClient fifth(server.port());
  EXPECT_EQ(fifth.Ask(kGet).status, 200);
  EXPECT_EQ(slow.ReadToEnd(), "");
  EXPECT_EQ(fourth.Ask(kGet).status, 200);
  EXPECT_EQ(busy.Ask("xx").body, "POST /echo  xx");
}

TEST(Connections, OfTrustedProxiesDoNotMakeRoom) {
  RunningServer server(MakeHandler(),
                       ServerOptions{.limits = {.connections = 1},
                                     .trusted_proxies = *TrustedProxies::Parse("127.0.0.1")});
  RawClient proxy(server.port());
  EXPECT_EQ(proxy.Ask(kGet).status, 200);
  RawClient other(server.port());
  EXPECT_EQ(other.Ask(kGet).status, 503);
  EXPECT_EQ(proxy.Ask(kGet).status, 200);
}

TEST(Connections, OfTheReserveAnswerOneHealthCheck) {
  RunningServer server(MakeHandler(),
                       ServerOptions{.limits = {.connections = 2}, .health_paths = {"/echo"}});
  std::vector<std::unique_ptr<RawClient>> busy;
  for (int i = 0; i < 2; ++i) {
    busy.push_back(std::make_unique<RawClient>(server.port()));
    EXPECT_EQ(busy.back()->Ask(kBusyWithBody).status, 100);
  }
  for (int i = 0; i < 20; ++i) {  // More than the reserve has at once.
    RawClient check(server.port());
    const Answer answer = check.Ask("GET /echo?x HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.Header("Connection"), "close");
    EXPECT_EQ(check.ReadToEnd(), "");
    RawClient other(server.port());
    const Answer refusal = other.Ask("GET /large?1 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(refusal.status, 503);
    EXPECT_EQ(refusal.Header("Retry-After"), "1");
    EXPECT_EQ(other.ReadToEnd(), "");
  }
  for (const auto& client : busy) EXPECT_EQ(client->Ask("xx").status, 200);
}

TEST(Connections, OfTheReserveMakeRoomToo) {
  RunningServer server(MakeHandler(),
                       ServerOptions{.limits = {.connections = 1}, .health_paths = {"/echo"}});
  RawClient busy(server.port());
  EXPECT_EQ(busy.Ask(kBusyWithBody).status, 100);
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 30; ++i) silent.push_back(std::make_unique<RawClient>(server.port()));
  EXPECT_EQ(RawClient(server.port()).Ask(kGet).status, 200);
}

TEST(Connections, OfOneClientAreLimited) {
  RunningServer server(MakeHandler(),
                       ServerOptions{.clients = std::make_shared<ClientConnections>(2)});
  std::optional<RawClient> first(std::in_place, server.port());
  RawClient second(server.port());
  EXPECT_EQ(first->Ask(kGet).status, 200);
  EXPECT_EQ(second.Ask(kGet).status, 200);
  EXPECT_EQ(RawClient(server.port()).ReadToEnd(), "");
  EXPECT_EQ(second.Ask(kGet).status, 200);

  first.reset();
  int status = 0;  // The server may not have noticed yet that the first is closed.
  for (int i = 0; i < 100 && status != 200; ++i) {
    status = RawClient(server.port()).Ask(kGet).status;
  }
  EXPECT_EQ(status, 200);
}

TEST(Connections, OfOneClientAreNotLimitedBehindATrustedProxy) {
  RunningServer server(MakeHandler(),
                       ServerOptions{.clients = std::make_shared<ClientConnections>(1),
                                     .trusted_proxies = *TrustedProxies::Parse("127.0.0.1")});
  RawClient first(server.port());
  RawClient second(server.port());
  EXPECT_EQ(first.Ask(kGet).status, 200);
  EXPECT_EQ(second.Ask(kGet).status, 200);
}

TEST(Timeouts, CloseIdleConnectionsSilently) {
  RunningServer server(MakeHandler(), {.idle_timeout = kShort});
  RawClient fresh(server.port());
  RawClient used(server.port());
  EXPECT_EQ(used.Ask(kGet).status, 200);
  const auto began = Clock::now();
  EXPECT_EQ(fresh.ReadToEnd(), "");
  EXPECT_EQ(used.ReadToEnd(), "");
  EXPECT_LT(Clock::now() - began, kAtMost);
}

TEST(Timeouts, EndSlowHeads) {
  RunningServer server(MakeHandler(), {.head_timeout = kShort});
  RawClient silent(server.port());
  silent.Send("G");
  RawClient pipelined(server.port());
  pipelined.Send(std::string(kGet) + "G");
  EXPECT_EQ(pipelined.Read().status, 200);
  RawClient slow(server.port());
  slow.Send("GET /");
  const auto began = Clock::now();
  Trickle(slow, "x");
  ExpectRefused(slow, 408);
  ExpectRefused(silent, 408);
  ExpectRefused(pipelined, 408);
  EXPECT_LT(Clock::now() - began, kAtMost);
}

TEST(Timeouts, EndSlowBodies) {
  RunningServer server(MakeHandler(), {.body_timeout = kShort});
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\n";
  RawClient silent(server.port());
  silent.Send(head + "Content-Length: 2\r\n\r\n1");
  RawClient waiting(server.port());
  EXPECT_EQ(waiting.Ask(head + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n").status, 100);
  RawClient slow(server.port());
  slow.Send(head + "Transfer-Encoding: chunked\r\n\r\n");
  const auto began = Clock::now();
  Trickle(slow, "1\r\nx\r\n");
  for (RawClient* client : {&slow, &silent, &waiting}) ExpectRefused(*client, 408);
  EXPECT_LT(Clock::now() - began, kAtMost);
}

TEST(Timeouts, DoNotBindHandlers) {
  RunningServer server(MakeHandler(), {.head_timeout = kShort,
                                       .body_timeout = kShort,
                                       .idle_timeout = kShort,
                                       .write_timeout = kShort});
  RawClient client(server.port());
  EXPECT_EQ(client.Ask("GET /later?600 HTTP/1.1\r\nHost: a\r\n\r\n").body, "late");
}

TEST(Timeouts, EndSlowReaders) {
  constexpr std::size_t kSize = 30'000'000;
  RunningServer server(MakeHandler(), {.write_timeout = kShort});
  RawClient client(server.port(), /*receive_buffer=*/4096);
  client.Send("GET /large?" + std::to_string(kSize) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(800));
  EXPECT_LT(client.ReadToEnd().size(), kSize);
  EXPECT_EQ(RawClient(server.port()).Ask(kGet).status, 200);
}

constexpr std::size_t kMemory = 100'000;

ServerOptions LimitMemory() { return {.memory = std::make_shared<MemoryBudget>(kMemory)}; }

std::string GetLarge(std::size_t size) {
  return "GET /large?" + std::to_string(size) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

// The head of a request with a body of this length.
std::string PostHead(std::size_t length) {
  return "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

// Repeats a request on new connections until the answer has this status.
void AskUntil(const RunningServer& server, std::string_view request, int status) {
  const auto end = Clock::now() + std::chrono::seconds(30);
  int seen = 0;
  while (seen != status && Clock::now() < end) seen = RawClient(server.port()).Ask(request).status;
  EXPECT_EQ(seen, status);
}

void WaitUntilUsed(const MemoryBudget& memory, std::size_t bytes) {
  const auto end = Clock::now() + std::chrono::seconds(30);
  while (memory.used() < bytes && Clock::now() < end) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_GE(memory.used(), bytes);
}

TEST(Memory, OfBodiesIsLimited) {
  const ServerOptions options = LimitMemory();
  RunningServer server(MakeHandler(), options);
  const RawClient first(server.port());
  const RawClient second(server.port());
  first.Send(PostHead(40'000) + "x");
  second.Send(PostHead(40'000) + "x");
  WaitUntilUsed(*options.memory, 80'000);

  RawClient third(server.port());
  third.Send(PostHead(40'000) + "x");
  ExpectRefused(third, 503);
  // What needs little is served.
  EXPECT_EQ(RawClient(server.port()).Ask(kGet).status, 200);
  EXPECT_EQ(RawClient(server.port()).Ask(PostHead(1) + "x").status, 200);
}

TEST(Memory, OfHeadsIsLimited) {
  const ServerOptions options = LimitMemory();
  RunningServer server(MakeHandler(), options);
  std::string fields;
  for (int i = 0; i < 400; ++i) fields += "a:\r\n";
  const std::string many =
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n" + fields + "\r\n";
  const RawClient first(server.port());
  first.Send(many);
  WaitUntilUsed(*options.memory, 50'000);  // Much more than their text.
  RawClient second(server.port());
  second.Send(many);
  ExpectRefused(second, 503);
}

TEST(Memory, OfUnfinishedHeadsIsLimited) {
  const ServerOptions options = LimitMemory();
  RunningServer server(MakeHandler(), options);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 1; i <= 9; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port()));
    clients.back()->Send("GET /" + std::string(10'000, 'x'));
    WaitUntilUsed(*options.memory, i * 10'000);
  }
  AskUntil(server, "GET /" + std::string(15'000, 'x'), 503);
}

TEST(Memory, IsGivenBack) {
  const ServerOptions options = LimitMemory();
  RunningServer server(MakeHandler(), options);
  RawClient client(server.port());
  const std::string body(50'000, 'x');
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(
        client.Ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" + body).status,
        200);
    EXPECT_EQ(client.Ask(GetLarge(90'000)).status, 200);
    EXPECT_EQ(client.Ask(kGet).status, 200);
    EXPECT_EQ(options.memory->used(), 0U);
  }
}

TEST(Memory, OfSlowReadersIsTakenFromThem) {
  const RouteTable no_routes;
  ServerMetrics metrics(no_routes);
  RunningServer server(MakeHandler(), LimitMemory(), &metrics);
  // Larger than the whole budget, which suffices for one that is alone.
  constexpr std::size_t kSize = 10'000'000;
  RawClient slow(server.port(), /*receive_buffer=*/4096);
  slow.Send(GetLarge(kSize));
  EXPECT_TRUE(slow.Wait(kAtMost));

  RawClient second(server.port());
  const Answer refusal = second.Ask(GetLarge(50'000));
  EXPECT_EQ(refusal.status, 503);
  EXPECT_EQ(refusal.Header("Retry-After"), "1");
  EXPECT_EQ(refusal.Header("Connection"), "close");
  AskUntil(server, GetLarge(50'000), 200);
  EXPECT_LT(slow.ReadToEnd().size(), kSize);
  telemetry::Report report;
  metrics.ReportTo(report);
  EXPECT_TRUE(report.Text().contains("http_server_connections_refused_total{reason=\"slow\"} 1"))
      << report.Text();
}

constexpr std::string_view kRefused = "GET /refused HTTP/1.1\r\nHost: a\r\n\r\n";

// Like MakeHandler, and 503 for /refused.
Handler MakeRefusingHandler() {
  return [handler = MakeHandler()](const Request& request) {
    return request.path == "/refused"
           ? [] -> Task<Response> { co_return ToResponse(Error::Unavailable()); }()
           : handler(request);
  };
}

// Opens clients whose requests keep the server busy for five seconds.
std::vector<std::unique_ptr<RawClient>> MakeBusy(const RunningServer& server) {
  constexpr std::size_t kBusy = 256;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < kBusy; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port()));
    clients.back()->Send("GET /later?5000 HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  std::this_thread::sleep_for(milliseconds(300));
  return clients;
}

Clock::duration TimeToAsk(RawClient& client, std::string_view request) {
  const auto began = Clock::now();
  client.Ask(request);
  return Clock::now() - began;
}

TEST(Overload, WhoWasRefusedRestsWhileTheServerIsBusy) {
  RunningServer server(MakeRefusingHandler());
  RawClient client(server.port());
  client.Ask(kRefused);
  EXPECT_LT(TimeToAsk(client, kRefused), milliseconds(500));

  const auto others = MakeBusy(server);
  EXPECT_LT(TimeToAsk(client, kRefused), milliseconds(500));
  EXPECT_GT(TimeToAsk(client, kRefused), milliseconds(900));
  EXPECT_GT(TimeToAsk(client, kGet), milliseconds(1800));
  EXPECT_LT(TimeToAsk(client, kGet), milliseconds(500));
}

TEST(Overload, ATrustedProxyDoesNotRest) {
  RunningServer server(MakeRefusingHandler(),
                       ServerOptions{.trusted_proxies = *TrustedProxies::Parse("127.0.0.1")});
  const auto others = MakeBusy(server);
  RawClient proxy(server.port());
  EXPECT_EQ(proxy.Ask(kRefused).status, 503);
  EXPECT_LT(TimeToAsk(proxy, kRefused), milliseconds(500));
  EXPECT_LT(TimeToAsk(proxy, kGet), milliseconds(500));
}

TEST(Timeouts, EndLingering) {
  // The client is refused, but neither reads nor closes.
  RunningServer server(MakeHandler());
  const RawClient client(server.port());
  client.Send("\r\n");
  std::this_thread::sleep_for(milliseconds(200));
  const auto began = Clock::now();
  server.Stop(std::chrono::seconds(10)).get();
  EXPECT_LT(Clock::now() - began, kAtMost);
}

}  // namespace
}  // namespace platform::http
