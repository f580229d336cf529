// bench_validation_load: sends tokens to a gRPC server for validation, and prints the number of
// verdicts as JSON. It has three modes: `unary` calls, a `stream` with one query in each message,
// and a stream with a `batch` of all queries that may be sent. It starts to measure when each
// connection has received its first verdict.
//
// Without a rate it is a closed loop, with a fixed number of queries in flight on each connection.
// With a rate it is an open loop, like bench_open_loop for HTTP: queries are due at random times,
// and their latency counts from then.

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_callback.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/load/latencies.h"
#include "platform/grpc/testing/grpc_peers.h"
#include "proto/auth.grpc.pb.h"
#include "proto/customers/v1/token_validation.grpc.pb.h"

namespace {

namespace v1 = customers::v1;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLate{1};

struct Options {
  std::string way;
  std::string file;
  std::uint16_t port = 0;
  platform::grpc::TlsFiles tls;
  double rate = 0;  // 0 means a closed loop.
  double warm_up_seconds = 0;
  double seconds = 1;
  std::size_t connections = 2;
  std::size_t in_flight = 128;
  std::size_t batch = 64;
};

// The state that all connections share.
struct Run {
  std::vector<std::string> tokens;
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> repeats = false;  // Whether an answered query is followed by another.
  std::atomic<std::int64_t> accepted = 0;
  std::atomic<std::int64_t> errors = 0;

  const std::string& Token() { return tokens[next++ % tokens.size()]; }
};

// One connection under load.
class Connection {
 public:
  Connection(Run& run, std::size_t in_flight_limit) : run_(run), limit_(in_flight_limit) {}
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Adds a query that is due. It is sent as soon as the limit allows. Any thread.
  void Arrive(Clock::time_point due) {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(due);
    Send();
  }

  // Call it when no more queries arrive. Waits until all are answered, and returns the milliseconds
  // of all queries that were due from `measured_from` on.
  std::vector<double> Finish(Clock::time_point measured_from) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || (waiting_.empty() && in_flight_ == 0); });
    std::vector<double> latencies;
    for (const auto& [due, answered] : answers_) {
      if (due < measured_from) continue;
      latencies.push_back(std::chrono::duration<double, std::milli>(answered - due).count());
    }
    return latencies;
  }

 protected:
  // Sends waiting queries as far as the limit allows. Called with the lock held.
  virtual void Send() = 0;

  // Called with the lock held.
  void Answered(Clock::time_point due, bool accepted) {
    ++(accepted ? run_.accepted : run_.errors);
    --in_flight_;
    if (run_.repeats) {
      waiting_.push_back(due);
    } else {
      answers_.emplace_back(due, Clock::now());
    }
    if (in_flight_ == 0) changed_.notify_all();
  }

  Run& run_;
  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Clock::time_point> waiting_;
  std::size_t in_flight_ = 0;
  bool ended_ = false;  // The server answers no more.

 private:
  std::vector<std::pair<Clock::time_point, Clock::time_point>> answers_;  // Times: due, answered.
};

class UnaryConnection final : public Connection {
 public:
  UnaryConnection(Run& run, const Options& options)
      : Connection(run, options.in_flight),
        stub_(UserAuth::NewStub(
            platform::grpc::testing::MakeGrpcChannel("localhost", options.port, options.tls))) {}

 private:
  struct Call {
    ::grpc::ClientContext context;
    AuthRequest request;
    AuthResponse response;
  };

  void Send() override {
    for (; !waiting_.empty() && in_flight_ < limit_; ++in_flight_) {
      auto call = std::make_shared<Call>();
      call->request.mutable_token()->set_value(run_.Token());
      stub_->async()->ValidateToken(
          &call->context, &call->request, &call->response,
          [this, call, due = waiting_.front()](const ::grpc::Status& status) {
            const std::scoped_lock lock(mutex_);
            Answered(due, status.ok());
            Send();
          });
      waiting_.pop_front();
    }
  }

  std::unique_ptr<UserAuth::Stub> stub_;
};

// One stream. A message is sent whenever the last one is written and queries may be sent.
class StreamConnection final
    : public Connection,
      public ::grpc::ClientBidiReactor<v1::ValidateTokensRequest, v1::ValidateTokensResponse> {
 public:
  StreamConnection(Run& run, const Options& options, std::size_t batch)
      : Connection(run, options.in_flight),
        batch_(batch),
        stub_(v1::TokenValidation::NewStub(
            platform::grpc::testing::MakeGrpcChannel("localhost", options.port, options.tls))),
        due_(limit_) {
    for (std::size_t slot = 0; slot < limit_; ++slot) free_slots_.push_back(slot);
    stub_->async()->ValidateTokens(&context_, this);
    AddHold();
    StartRead(&response_);
    StartCall();
  }
  ~StreamConnection() override {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !writing_; });
    }
    StartWritesDone();
    RemoveHold();
    done_.wait(false);
  }

 private:
  void Send() override {
    if (writing_ || ended_) return;
    const std::size_t count = std::min({batch_, free_slots_.size(), waiting_.size()});
    if (count == 0) return;
    request_.clear_queries();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t slot = free_slots_.back();
      free_slots_.pop_back();
      due_[slot] = waiting_.front();
      waiting_.pop_front();
      v1::TokenQuery& query = *request_.add_queries();
      query.set_id(++last_number_ * limit_ + slot);
      query.set_authorization(run_.Token());
    }
    in_flight_ += count;
    writing_ = true;
    StartWrite(&request_);
  }
  void OnWriteDone(bool ok) override {
    const std::scoped_lock lock(mutex_);
    writing_ = false;
    ended_ = ended_ || !ok;
    Send();
    changed_.notify_all();
  }
  void OnReadDone(bool ok) override {
    {
      const std::scoped_lock lock(mutex_);
      if (!ok) {
        ended_ = true;
        changed_.notify_all();
        return;
      }
      for (const v1::Verdict& verdict : response_.verdicts()) {
        const std::size_t slot = verdict.id() % limit_;
        free_slots_.push_back(slot);
        Answered(due_[slot], verdict.has_identity());
      }
      Send();
    }
    StartRead(&response_);
  }
  void OnDone(const ::grpc::Status& status) override {
    if (!status.ok()) {
      std::cerr << "bench_validation_load: " << status.error_message() << '\n';
      ++run_.errors;
    }
    done_ = true;
    done_.notify_all();
  }

  const std::size_t batch_;
  std::unique_ptr<v1::TokenValidation::Stub> stub_;
  ::grpc::ClientContext context_;
  // Due times of queries in flight. A query's id is a number that is never used twice, times the
  // limit, plus the query's slot.
  std::vector<Clock::time_point> due_;
  std::vector<std::size_t> free_slots_;
  std::uint64_t last_number_ = 0;
  bool writing_ = false;
  v1::ValidateTokensRequest request_;
  v1::ValidateTokensResponse response_;
  std::atomic<bool> done_ = false;
};

std::unique_ptr<Connection> MakeConnection(Run& run, const Options& options) {
  if (options.way == "unary") return std::make_unique<UnaryConnection>(run, options);
  return std::make_unique<StreamConnection>(run, options,
                                            options.way == "batch" ? options.batch : 1);
}

using Connections = std::vector<std::unique_ptr<Connection>>;

Clock::duration Seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
}

// Sends one query on each connection and waits for all verdicts, so that connections are set up.
void AwaitFirstVerdicts(Run& run, const Connections& connections) {
  for (const auto& connection : connections) connection->Arrive(Clock::now());
  for (const auto& connection : connections) connection->Finish(Clock::time_point::max());
  if (std::cmp_not_equal(run.accepted.load(), connections.size())) {
    throw std::runtime_error("the first tokens were not accepted");
  }
}

boost::json::object ClosedLoop(Run& run, const Options& options, const Connections& connections) {
  run.repeats = true;
  for (const auto& connection : connections) {
    for (std::size_t i = 0; i < options.in_flight; ++i) connection->Arrive({});
  }
  const std::int64_t accepted_before = run.accepted;
  const Clock::time_point begin = Clock::now();
  std::this_thread::sleep_for(Seconds(options.seconds));
  const std::int64_t accepted = run.accepted - accepted_before;
  const std::chrono::duration<double> elapsed = Clock::now() - begin;
  run.repeats = false;
  for (const auto& connection : connections) connection->Finish(Clock::time_point::max());
  return {{"requests", run.accepted + run.errors},  // All, also outside the measured time.
          {"per_second", static_cast<double>(accepted) / elapsed.count()},
          {"errors", run.errors.load()}};
}

boost::json::object OpenLoop(Run& run, const Options& options, const Connections& connections) {
  prctl(PR_SET_TIMERSLACK, 1UL);  // Nanoseconds; the default of 50 µs would distort latencies.
  std::mt19937_64 random{std::random_device{}()};
  std::exponential_distribution<double> pause(options.rate);
  const Clock::time_point begin = Clock::now();
  const Clock::time_point measured_from = begin + Seconds(options.warm_up_seconds);
  const Clock::time_point measured_to = measured_from + Seconds(options.seconds);
  const double cpu_before = bench::CpuSeconds();
  std::int64_t arrivals = 0;
  std::int64_t late_arrivals = 0;
  std::int64_t accepted_before = 0;
  std::size_t next = 0;
  for (Clock::time_point due = begin; due < measured_to; due += Seconds(pause(random))) {
    std::this_thread::sleep_until(due);
    if (due >= measured_from) {
      if (arrivals++ == 0) accepted_before = run.accepted;
      if (Clock::now() - due > kLate) ++late_arrivals;
    }
    connections[next++ % connections.size()]->Arrive(due);
  }
  std::this_thread::sleep_until(measured_to);
  const std::int64_t accepted = run.accepted - accepted_before;
  const std::chrono::duration<double> elapsed = Clock::now() - begin;
  const double cores = (bench::CpuSeconds() - cpu_before) / elapsed.count();
  std::vector<double> latencies;
  for (const auto& connection : connections) {
    const std::vector<double> more = connection->Finish(measured_from);
    latencies.insert(latencies.end(), more.begin(), more.end());
  }
  return {{"requests", latencies.size()},
          {"per_second", static_cast<double>(accepted) / options.seconds},
          {"arrivals", arrivals},
          {"errors", run.errors.load()},
          {"late_arrivals", late_arrivals},
          {"cores", cores},
          {"percentiles", bench::Percentiles(std::move(latencies))}};
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Sends tokens over gRPC for validation, and prints the results as JSON.");
  app.add_option("way", options.way, "unary, stream or batch")
      ->required()
      ->check(CLI::IsMember({"unary", "stream", "batch"}));
  app.add_option("file", options.file, "values of Authorization, one a line")->required();
  app.add_option("--port", options.port, "of the server on localhost")->required();
  app.add_option("--ca", options.tls.ca)->required();
  app.add_option("--certificate", options.tls.certificate)->required();
  app.add_option("--key", options.tls.key)->required();
  app.add_option("--rate", options.rate, "queries a second; without it, a closed loop")
      ->check(CLI::PositiveNumber);
  app.add_option("--warm-up", options.warm_up_seconds,
                 "seconds of the open loop that do not count");
  app.add_option("--seconds", options.seconds, "how long it is measured");
  app.add_option("--connections", options.connections);
  app.add_option("--in-flight", options.in_flight, "queries without a verdict, per connection");
  app.add_option("--batch", options.batch, "queries in a message, at most");
  CLI11_PARSE(app, argc, argv);

  Run run;
  std::ifstream file(options.file);
  for (std::string line; std::getline(file, line);) run.tokens.push_back(std::move(line));
  if (run.tokens.empty()) {
    std::cerr << "bench_validation_load: no tokens in " << options.file << '\n';
    return 1;
  }

  Connections connections;
  for (std::size_t i = 0; i < options.connections; ++i) {
    connections.push_back(MakeConnection(run, options));
  }
  try {
    AwaitFirstVerdicts(run, connections);
    std::cout << (options.rate == 0 ? ClosedLoop(run, options, connections)
                                    : OpenLoop(run, options, connections))
              << '\n';
  } catch (const std::exception& error) {
    std::cerr << "bench_validation_load: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
