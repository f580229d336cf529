#include "platform/trace/tracer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace platform::trace {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using Request = http::request<http::string_body>;
using testing::ElementsAre;

constexpr std::chrono::seconds kLongEnough{60};

// Answers requests with the given statuses, in turn, and then with 200. It serves one connection at
// a time.
class Collector {
 public:
  struct Reply {
    unsigned status = 200;
    std::string body = "{}";
    std::string retry_after = {};
    bool stalls = false;  // There is no reply until the collector is destroyed.
  };

  explicit Collector(std::deque<Reply> replies = {}, std::uint16_t port = 0)
      : replies_(std::move(replies)),
        acceptor_(io_, {asio::ip::make_address("127.0.0.1"), port}),
        thread_([this] { Serve(); }) {}
  ~Collector() {
    {
      const std::scoped_lock lock(mutex_);
      is_ending_ = true;
      if (socket_ != nullptr) ::shutdown(socket_->native_handle(), SHUT_RDWR);
    }
    changed_.notify_all();
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
  }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  // Waits for the first `count` requests, and returns all that have been received.
  std::vector<Request> Requests(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kLongEnough, [&] { return requests_.size() >= count; }));
    return requests_;
  }

  std::vector<Clock::time_point> Times() {
    const std::scoped_lock lock(mutex_);
    return times_;
  }

 private:
  void Serve() {
    for (;;) {
      tcp::socket socket(io_);
      boost::system::error_code error;
      acceptor_.accept(socket, error);
      if (error) return;
      {
        const std::scoped_lock lock(mutex_);
        socket_ = &socket;
      }
      while (ServeRequest(socket)) {
      }
      const std::scoped_lock lock(mutex_);
      socket_ = nullptr;
      if (is_ending_) return;
    }
  }

  bool ServeRequest(tcp::socket& socket) {
    Request request;
    boost::beast::flat_buffer buffer;
    boost::system::error_code error;
    http::read(socket, buffer, request, error);
    if (error) return false;
    const bool keeps_alive = request.keep_alive();
    Reply reply;
    {
      std::unique_lock lock(mutex_);
      requests_.push_back(std::move(request));
      times_.push_back(Clock::now());
      changed_.notify_all();
      if (!replies_.empty()) {
        reply = replies_.front();
        replies_.pop_front();
      }
      if (reply.stalls) changed_.wait(lock, [&] { return is_ending_; });
      if (is_ending_) return false;
    }
    http::response<http::string_body> response(static_cast<http::status>(reply.status), 11);
    response.body() = reply.body;
    if (!reply.retry_after.empty()) response.set(http::field::retry_after, reply.retry_after);
    response.keep_alive(keeps_alive);
    response.prepare_payload();
    http::write(socket, response, error);
    return !error && keeps_alive;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Reply> replies_;
  std::vector<Request> requests_;
  std::vector<Clock::time_point> times_;
  tcp::socket* socket_ = nullptr;
  bool is_ending_ = false;
  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

TracerOptions To(std::uint16_t port) {
  return {.collector = {.host = "127.0.0.1", .port = port, .path = "/v1/traces"},
          .service = "cart",
          .batch = 3,
          .interval = std::chrono::hours(1),
          .queue = 8,
          .initial_pause = std::chrono::milliseconds(2),
          .max_pause = std::chrono::milliseconds(20),
          .max_asked_pause = std::chrono::milliseconds(300)};
}

void Record(Tracer& tracer, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const TraceContext context = tracer.Begin(std::nullopt);
    tracer.Record({.context = context,
                   .parent_id = "",
                   .kind = SpanKind::kServer,
                   .name = name,
                   .start = SpanClock::now(),
                   .end = SpanClock::now()},
                  {});
  }
}

std::vector<std::string> NamesIn(const Request& request) {
  std::vector<std::string> names;
  const auto body = boost::json::parse(request.body());
  for (const auto& span :
       body.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").as_array()) {
    names.emplace_back(span.at("name").as_string());
  }
  return names;
}

void WaitUntil(const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + kLongEnough;
  while (!condition()) {
    ASSERT_LT(Clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(Tracer, SendsABatchAsSoonAsThereIsOne) {
  Collector collector;
  TracerOptions options = To(collector.port());
  options.collector.headers = {{"api-key", Secret("key")}};
  Tracer tracer(options);
  Record(tracer, {"a", "b", "c"});
  const std::vector<Request> requests = collector.Requests(1);
  ASSERT_EQ(requests.size(), 1);
  EXPECT_EQ(requests[0].method(), http::verb::post);
  EXPECT_EQ(requests[0].target(), "/v1/traces");
  EXPECT_EQ(requests[0][http::field::content_type], "application/json");
  EXPECT_EQ(requests[0][http::field::host], "127.0.0.1:" + std::to_string(collector.port()));
  EXPECT_EQ(requests[0]["api-key"], "key");
  EXPECT_THAT(NamesIn(requests[0]), ElementsAre("a", "b", "c"));
  WaitUntil([&] { return tracer.exported() == 3; });
  EXPECT_EQ(tracer.dropped(), 0);
}

TEST(Tracer, SendsFewerSpansAfterAWhile) {
  Collector collector;
  TracerOptions options = To(collector.port());
  options.interval = std::chrono::milliseconds(10);
  Tracer tracer(options);
  Record(tracer, {"a"});
  EXPECT_THAT(NamesIn(collector.Requests(1).front()), ElementsAre("a"));
}

TEST(Tracer, RepeatsABatchUntilItIsAccepted) {
  Collector collector({{.status = 503}, {.status = 429}, {.status = 502}, {.status = 504}});
  Tracer tracer(To(collector.port()));
  Record(tracer, {"a", "b", "c"});
  const std::vector<Request> requests = collector.Requests(5);
  ASSERT_EQ(requests.size(), 5);
  for (const Request& request : requests) EXPECT_EQ(request.body(), requests.front().body());
  WaitUntil([&] { return tracer.exported() == 3; });
  EXPECT_EQ(tracer.dropped(), 0);
}

TEST(Tracer, ARefusedBatchIsNotRepeated) {
  for (const unsigned status : {400U, 401U, 404U, 500U, 301U}) {
    Collector collector({{.status = status}});
    Tracer tracer(To(collector.port()));
    Record(tracer, {"a", "b", "c"});
    WaitUntil([&] { return tracer.dropped() == 3; });
    Record(tracer, {"d", "e", "f"});
    WaitUntil([&] { return tracer.exported() == 3; });
    const std::vector<Request> requests = collector.Requests(2);
    ASSERT_EQ(requests.size(), 2) << status;
    EXPECT_THAT(NamesIn(requests[1]), ElementsAre("d", "e", "f"));
    EXPECT_EQ(tracer.dropped(), 3);
  }
}

TEST(Tracer, SpansThatAnAcceptedBatchLosesAreCounted) {
  Collector collector({{.body = R"({"partialSuccess":{"rejectedSpans":"2"}})"},
                       {.body = R"({"partialSuccess":{"rejectedSpans":1}})"},
                       {.body = R"({"partialSuccess":{"rejectedSpans":"99"}})"},
                       {.body = R"({"partialSuccess":{}})"},
                       {.body = "no JSON"}});
  Tracer tracer(To(collector.port()));
  std::uint64_t dropped = 0;
  std::uint64_t all = 0;
  for (const std::uint64_t rejected : {2U, 1U, 3U, 0U, 0U}) {
    Record(tracer, {"a", "b", "c"});
    dropped += rejected;
    all += 3;
    WaitUntil([&] { return tracer.exported() + tracer.dropped() == all; });
    EXPECT_EQ(tracer.dropped(), dropped);
  }
}

TEST(Tracer, WhileTheCollectorStallsSpansAreKeptUpToABound) {
  Collector collector({{.stalls = true}});
  Tracer tracer(To(collector.port()));
  Record(tracer, {"a", "b", "c"});
  collector.Requests(1);
  Record(tracer, {"1", "2", "3", "4", "5", "6", "7", "8"});
  EXPECT_EQ(tracer.dropped(), 0);
  Record(tracer, {"9", "10"});
  EXPECT_EQ(tracer.dropped(), 2);
  EXPECT_EQ(tracer.exported(), 0);
}

TEST(Tracer, GivesUpOnASilentCollectorAndTriesAgain) {
  // The kernel accepts connections, and nobody reads them.
  asio::io_context io;
  tcp::acceptor silent(io, {asio::ip::make_address("127.0.0.1"), 0});
  TracerOptions options = To(silent.local_endpoint().port());
  options.timeout = std::chrono::milliseconds(50);
  Tracer tracer(options);
  Record(tracer, {"a", "b", "c"});
  for (int attempt = 1; attempt <= 3; ++attempt) silent.accept();
  EXPECT_EQ(tracer.exported(), 0);
  EXPECT_EQ(tracer.dropped(), 0);
}

TEST(Tracer, SendsEverythingWhenTheCollectorIsThere) {
  std::uint16_t port = 0;
  {
    const Collector gone;
    port = gone.port();
  }
  Tracer tracer(To(port));
  Record(tracer, {"a", "b", "c", "d"});
  Collector collector({}, port);
  EXPECT_THAT(NamesIn(collector.Requests(1).front()), ElementsAre("a", "b", "c"));
  Record(tracer, {"e", "f"});
  EXPECT_THAT(NamesIn(collector.Requests(2).back()), ElementsAre("d", "e", "f"));
  WaitUntil([&] { return tracer.exported() == 6; });
  EXPECT_EQ(tracer.dropped(), 0);
}

TEST(Tracer, WaitsAsLongAsTheCollectorAsksUpToABound) {
  Collector collector({{.status = 503, .retry_after = "3600"}});
  const TracerOptions options = To(collector.port());
  Tracer tracer(options);
  Record(tracer, {"a", "b", "c"});
  collector.Requests(2);
  const auto times = collector.Times();
  EXPECT_GE(times[1] - times[0], options.max_asked_pause);
}

TEST(Tracer, StopSendsWhatWaits) {
  Collector collector;
  Tracer tracer(To(collector.port()));
  Record(tracer, {"a", "b"});
  tracer.Stop(kLongEnough);
  EXPECT_THAT(NamesIn(collector.Requests(1).front()), ElementsAre("a", "b"));
  EXPECT_EQ(tracer.exported(), 2);
}

TEST(Tracer, StopSendsAllBatches) {
  Collector collector;
  TracerOptions options = To(collector.port());
  options.batch = 3;
  Tracer tracer(options);
  Record(tracer, {"1", "2", "3", "4", "5", "6", "7", "8"});
  tracer.Stop(kLongEnough);
  EXPECT_EQ(tracer.exported(), 8);
}

TEST(Tracer, StopWaitsForNoRetry) {
  std::uint16_t port = 0;
  {
    const Collector gone;
    port = gone.port();
  }
  TracerOptions options = To(port);
  options.initial_pause = options.max_pause = std::chrono::hours(1);
  Tracer tracer(options);
  Record(tracer, {"a", "b", "c"});
  const auto begun = Clock::now();
  tracer.Stop(kLongEnough);
  EXPECT_LT(Clock::now() - begun, kLongEnough);
  EXPECT_EQ(tracer.exported(), 0);
}

TEST(Tracer, StopIsBounded) {
  Collector collector({{.stalls = true}});
  Tracer tracer(To(collector.port()));
  Record(tracer, {"a"});
  tracer.Stop(std::chrono::milliseconds(50));  // Returns although nothing is answered.
  EXPECT_EQ(collector.Requests(1).size(), 1);
  EXPECT_EQ(tracer.exported(), 0);
}

TEST(Tracer, ManyThreadsLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kSpans = 500;
  Collector collector;
  TracerOptions options = To(collector.port());
  options.batch = 64;
  options.queue = std::size_t{kThreads} * kSpans;
  Tracer tracer(options);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int span = 0; span < kSpans; ++span) Record(tracer, {"span"});
      });
    }
  }
  tracer.Stop(kLongEnough);
  EXPECT_EQ(tracer.exported(), kThreads * kSpans);
  EXPECT_EQ(tracer.dropped(), 0);
  std::size_t received = 0;
  for (const Request& request : collector.Requests(1)) received += NamesIn(request).size();
  EXPECT_EQ(received, kThreads * kSpans);
}

TEST(Tracer, ReportsItsSpans) {
  Collector collector;
  Tracer tracer(To(collector.port()));
  Record(tracer, {"a", "b"});
  tracer.Stop(kLongEnough);
  telemetry::Report report;
  ReportSpans(&tracer, report);
  EXPECT_THAT(report.Text(), testing::HasSubstr("\ntrace_spans_exported_total 2\n"));
  telemetry::Report none;
  ReportSpans(nullptr, none);
  EXPECT_THAT(none.Text(), testing::HasSubstr("\ntrace_spans_dropped_total 0\n"));
}

}  // namespace
}  // namespace platform::trace
