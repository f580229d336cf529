// bench_open_loop: an open-loop HTTP load. Requests are due at given times, whether or not earlier
// ones are answered, and their latency counts from that time. So if the server stalls, the figures
// show the delay of all requests that were due meanwhile (no coordinated omission).
//
// Each line of the file is a request: method, path, Authorization and body, separated by tabs. The
// last two may be empty. Requests are sent in turn. A line that begins with `+` continues the chain
// of the previous line: it is sent after the answer to that line, on the same connection, with {id}
// in its path replaced by the last "id" of that answer. An arrival takes a whole chain; its later
// steps are due when they can be sent.
//
// A failure, and an answer that never arrives, counts as an answer that took the drain time.
// `late_sends` are arrivals that waited for a connection or for this program. `late_arrivals` are
// arrivals that this program noticed too late; if there are many, the latencies are its own.
//
// Prints a JSON object; times are in milliseconds.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/algorithm/string.hpp>
#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <fstream>
#include <iostream>
#include <list>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/latencies.h"

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;
using asio::ip::tcp;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kPlaceholder = "{id}";
constexpr std::chrono::milliseconds kLate{1};

struct Options {
  std::string file;
  std::uint16_t port = 0;
  double rate = 0;
  double warm_up_seconds = 0;
  double seconds = 1;
  std::size_t connections = 64;
  bool is_poisson = false;
  double drain_seconds = 5;
};

using Chain = std::vector<std::string>;  // The texts of the chain's requests.

std::vector<Chain> ReadChains(const std::string& path) {
  std::ifstream file(path);
  std::vector<Chain> chains;
  for (std::string line; std::getline(file, line);) {
    const bool continues = line.starts_with('+');
    if (continues) line.erase(0, 1);
    std::vector<std::string> fields;
    boost::split(fields, line, boost::is_any_of("\t"));
    if (fields.size() != 4) throw std::runtime_error("not four fields: " + line);
    std::string text = fields[0] + " " + fields[1] + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    if (!fields[2].empty()) text += "Authorization: " + fields[2] + "\r\n";
    if (!fields[3].empty()) {
      text +=
          "Content-Type: application/json\r\nContent-Length: " + std::to_string(fields[3].size()) +
          "\r\n";
    }
    text += "\r\n" + fields[3];
    if (!continues) chains.emplace_back();
    chains.back().push_back(std::move(text));
  }
  if (chains.empty()) throw std::runtime_error("no requests in " + path);
  return chains;
}

// Returns the digits after the last `"id":`.
std::string LastId(std::string_view body) {
  constexpr std::string_view kKey = R"("id":)";
  const auto found = body.rfind(kKey);
  if (found == std::string_view::npos) return "0";
  body.remove_prefix(found + kKey.size());
  return std::string(body.substr(0, body.find_first_not_of("0123456789")));
}

Clock::duration Seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
}

class Load {
 public:
  Load(asio::io_context& io, Options options)
      : io_(io), options_(std::move(options)), chains_(ReadChains(options_.file)) {}

  void Start() {
    const Clock::time_point begin = Clock::now();
    measured_from_ = begin + Seconds(options_.warm_up_seconds);
    measured_to_ = measured_from_ + Seconds(options_.seconds);
    for (std::size_t i = 0; i < options_.connections; ++i) {
      asio::co_spawn(io_, Connection(), asio::detached);
    }
    asio::co_spawn(io_, Schedule(begin), asio::detached);
  }

  boost::json::object Report() const;

 private:
  // Starts arrivals at their times, then waits until all are answered, for the drain time at most.
  asio::awaitable<void> Schedule(Clock::time_point begin) {
    asio::steady_timer timer(io_);
    const double cpu_before = bench::CpuSeconds();
    std::exponential_distribution<double> pause(options_.rate);
    for (Clock::time_point due = begin; due < measured_to_;
         due += Seconds(options_.is_poisson ? pause(random_) : 1 / options_.rate)) {
      if (due > Clock::now()) {
        timer.expires_at(due);
        co_await timer.async_wait(kAwait);
      }
      waiting_.push_back(due);
      if (due >= measured_from_) {
        ++arrivals_;
        if (Clock::now() - due > kLate) ++late_arrivals_;
      }
      if (!idle_.empty()) {
        idle_.back()->cancel();
        idle_.pop_back();
      }
    }
    cores_ = (bench::CpuSeconds() - cpu_before) /
             std::chrono::duration<double>(Clock::now() - begin).count();
    const Clock::time_point end = Clock::now() + Seconds(options_.drain_seconds);
    while ((!waiting_.empty() || !in_progress_.empty()) && Clock::now() < end) {
      timer.expires_after(kLate);
      co_await timer.async_wait(kAwait);
    }
    // Requests without an answer have taken at least this long.
    for (const Clock::time_point due : waiting_) Record(due, false);
    for (const Clock::time_point due : in_progress_) Record(due, false);
    io_.stop();
  }

  asio::awaitable<void> Connection() {
    tcp::socket socket(io_);
    asio::steady_timer wake(io_);
    co_await Connect(socket);
    for (;;) {
      while (waiting_.empty()) {
        idle_.push_back(&wake);
        wake.expires_at(Clock::time_point::max());
        co_await wake.async_wait(kAwait);
      }
      Clock::time_point due = waiting_.front();
      waiting_.pop_front();
      if (due >= measured_from_ && Clock::now() - due > kLate) ++late_sends_;
      const Chain& chain = chains_[next_++ % chains_.size()];
      std::string id;
      for (std::string text : chain) {
        if (const auto at = text.find(kPlaceholder); at != std::string::npos) {
          text.replace(at, kPlaceholder.size(), id);
        }
        const auto in_progress = in_progress_.insert(in_progress_.end(), due);
        const bool answered = co_await Exchange(socket, text, id);
        in_progress_.erase(in_progress);
        Record(due, answered);
        if (!answered) break;
        due = Clock::now();
      }
    }
  }

  asio::awaitable<boost::system::error_code> Connect(tcp::socket& socket) {
    const auto [error] =
        co_await socket.async_connect({asio::ip::address_v4::loopback(), options_.port}, kAwait);
    if (error) {
      socket.close();
    } else {
      socket.set_option(tcp::no_delay(true));
    }
    co_return error;
  }

  // Sends a request. Returns whether the answer is a success. Sets `id` from the answer.
  asio::awaitable<bool> Exchange(tcp::socket& socket, const std::string& text, std::string& id) {
    boost::system::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    if (!socket.is_open()) error = co_await Connect(socket);
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> response;
    if (!error) co_await asio::async_write(socket, asio::buffer(text), token);
    if (!error) co_await http::async_read(socket, buffer, response, token);
    if (error || !response.keep_alive()) socket.close();
    id = LastId(response.body());
    co_return !error && response.result_int() < 300;
  }

  void Record(Clock::time_point due, bool answered) {
    const Clock::time_point now = Clock::now();
    if (answered && now >= measured_from_ && now < measured_to_) ++answered_in_time_;
    if (due < measured_from_) return;
    if (!answered) ++errors_;
    const Clock::duration least =
        answered ? Clock::duration::zero() : Seconds(options_.drain_seconds);
    latencies_.push_back(
        std::chrono::duration<double, std::milli>(std::max(now - due, least)).count());
  }

  asio::io_context& io_;
  const Options options_;
  const std::vector<Chain> chains_;
  std::mt19937_64 random_{std::random_device{}()};
  std::size_t next_ = 0;                      // The next chain, in the order of the file.
  std::deque<Clock::time_point> waiting_;     // Due times of waiting arrivals.
  std::list<Clock::time_point> in_progress_;  // Due times of requests in progress.
  std::vector<asio::steady_timer*> idle_;     // Timers of connections that wait for work.
  std::vector<double> latencies_;             // Latencies of requests, in milliseconds.
  Clock::time_point measured_from_{};
  Clock::time_point measured_to_{};
  std::size_t arrivals_ = 0;
  std::size_t answered_in_time_ = 0;  // Answered between these two, whenever they were due.
  std::size_t errors_ = 0;
  std::size_t late_sends_ = 0;
  std::size_t late_arrivals_ = 0;
  double cores_ = 0;  // The share of cores that this program used.
};

boost::json::object Load::Report() const {
  return {{"requests", latencies_.size()},
          {"per_second", static_cast<double>(answered_in_time_) / options_.seconds},
          {"arrivals", arrivals_},
          {"errors", errors_},
          {"late_sends", late_sends_},
          {"late_arrivals", late_arrivals_},
          {"cores", cores_},
          {"percentiles", bench::Percentiles(latencies_)}};
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "An open-loop HTTP load; prints latencies, from when each request was due, as JSON.");
  app.add_option("file", options.file, "requests: see the top of open_loop.cpp")->required();
  app.add_option("--port", options.port, "of the server on 127.0.0.1")->required();
  app.add_option("--rate", options.rate, "arrivals a second")
      ->required()
      ->check(CLI::PositiveNumber);
  app.add_option("--warm-up", options.warm_up_seconds, "seconds before latencies count");
  app.add_option("--seconds", options.seconds, "how long they count");
  app.add_option("--connections", options.connections, "maximum number of requests at once");
  app.add_option("--drain", options.drain_seconds, "seconds to wait for the last answers");
  app.add_flag("--poisson", options.is_poisson, "random instead of even pauses");
  CLI11_PARSE(app, argc, argv);
  try {
    asio::io_context io(1);
    Load load(io, options);
    load.Start();
    io.run();
    std::cout << load.Report() << '\n';
  } catch (const std::exception& error) {
    std::cerr << "bench_open_loop: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
