// bench_validation_load: asks a gRPC server to validate tokens, with a fixed number of them in
// flight on each connection, and prints how many verdicts came a second, as JSON. Three ways:
// `unary` calls, a `stream` with one query in each message, and a stream with a `batch` of what may
// be sent.

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_callback.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "platform/grpc/channel.h"
#include "proto/auth.grpc.pb.h"
#include "proto/customers/v1/token_validation.grpc.pb.h"

namespace {

namespace v1 = customers::v1;

struct Options {
  std::string way;
  std::string file;
  platform::grpc::ChannelOptions channel{.host = "localhost"};
  double seconds = 1;
  std::size_t connections = 2;
  std::size_t in_flight = 128;
  std::size_t batch = 64;
};

// What all connections share.
struct Run {
  std::vector<std::string> tokens;
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> ending = false;
  std::atomic<std::int64_t> accepted = 0;
  std::atomic<std::int64_t> errors = 0;

  const std::string& Token() { return tokens[next++ % tokens.size()]; }
};

// One connection under load. Its destructor waits for what is in flight.
class Connection {
 public:
  Connection() = default;
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
};

// As many loops of calls as may be in flight.
class UnaryConnection final : public Connection {
 public:
  UnaryConnection(Run& run, const Options& options)
      : run_(run),
        stub_(UserAuth::NewStub(platform::grpc::MakeChannel(options.channel))),
        open_(options.in_flight) {
    for (std::size_t i = 0; i < options.in_flight; ++i) Ask(std::make_shared<Call>());
  }
  ~UnaryConnection() override {
    for (std::size_t open = open_; open != 0; open = open_) open_.wait(open);
  }

 private:
  struct Call {
    std::unique_ptr<::grpc::ClientContext> context;
    AuthRequest request;
    AuthResponse response;
  };

  void Ask(const std::shared_ptr<Call>& call) {
    call->context = std::make_unique<::grpc::ClientContext>();
    call->request.mutable_token()->set_value(run_.Token());
    stub_->async()->ValidateToken(call->context.get(), &call->request, &call->response,
                                  [this, call](const ::grpc::Status& status) {
                                    ++(status.ok() ? run_.accepted : run_.errors);
                                    if (!run_.ending) {
                                      Ask(call);
                                    } else if (--open_ == 0) {
                                      open_.notify_all();
                                    }
                                  });
  }

  Run& run_;
  std::unique_ptr<UserAuth::Stub> stub_;
  std::atomic<std::size_t> open_;
};

// One stream; a message goes out whenever the last one is written and queries may be sent.
class StreamConnection final
    : public Connection,
      public ::grpc::ClientBidiReactor<v1::ValidateTokensRequest, v1::ValidateTokensResponse> {
 public:
  StreamConnection(Run& run, const Options& options, std::size_t batch)
      : run_(run),
        in_flight_limit_(options.in_flight),
        batch_(batch),
        stub_(v1::TokenValidation::NewStub(platform::grpc::MakeChannel(options.channel))) {
    stub_->async()->ValidateTokens(&context_, this);
    AddHold();
    StartRead(&response_);
    StartCall();
    const std::scoped_lock lock(mutex_);
    Write();
  }
  ~StreamConnection() override {
    {
      const std::scoped_lock lock(mutex_);
      Write();
    }
    done_.wait(false);
  }

 private:
  // With the lock held. Starts the next message, or ends the stream.
  void Write() {
    if (writing_ || ended_) return;
    if (run_.ending) {
      ended_ = true;
      StartWritesDone();
      RemoveHold();
      return;
    }
    const std::size_t count = std::min(batch_, in_flight_limit_ - in_flight_);
    if (count == 0) return;
    request_.clear_queries();
    for (std::size_t i = 0; i < count; ++i) {
      v1::TokenQuery& query = *request_.add_queries();
      query.set_id(++last_id_);
      query.set_authorization(run_.Token());
    }
    in_flight_ += count;
    writing_ = true;
    StartWrite(&request_);
  }
  void OnWriteDone(bool ok) override {
    const std::scoped_lock lock(mutex_);
    writing_ = false;
    if (ok) Write();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    for (const v1::Verdict& verdict : response_.verdicts()) {
      ++(verdict.has_identity() ? run_.accepted : run_.errors);
    }
    {
      const std::scoped_lock lock(mutex_);
      in_flight_ -= static_cast<std::size_t>(response_.verdicts_size());
      Write();
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

  Run& run_;
  const std::size_t in_flight_limit_;
  const std::size_t batch_;
  std::unique_ptr<v1::TokenValidation::Stub> stub_;
  ::grpc::ClientContext context_;
  std::mutex mutex_;
  std::size_t in_flight_ = 0;
  std::uint64_t last_id_ = 0;
  bool writing_ = false;
  bool ended_ = false;
  v1::ValidateTokensRequest request_;
  v1::ValidateTokensResponse response_;
  std::atomic<bool> done_ = false;
};

std::unique_ptr<Connection> Connect(Run& run, const Options& options) {
  if (options.way == "unary") return std::make_unique<UnaryConnection>(run, options);
  return std::make_unique<StreamConnection>(run, options,
                                            options.way == "batch" ? options.batch : 1);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Has tokens validated over gRPC; prints the verdicts a second as JSON.");
  app.add_option("way", options.way, "unary, stream or batch")
      ->required()
      ->check(CLI::IsMember({"unary", "stream", "batch"}));
  app.add_option("file", options.file, "values of Authorization, one a line")->required();
  app.add_option("--port", options.channel.port, "of the server on localhost")->required();
  app.add_option("--ca", options.channel.tls.ca)->required();
  app.add_option("--certificate", options.channel.tls.certificate)->required();
  app.add_option("--key", options.channel.tls.key)->required();
  app.add_option("--seconds", options.seconds);
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

  std::vector<std::unique_ptr<Connection>> connections;
  for (std::size_t i = 0; i < options.connections; ++i) {
    connections.push_back(Connect(run, options));
  }
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
  const std::int64_t accepted = run.accepted;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  run.ending = true;
  connections.clear();
  std::cout << R"({"per_second": )" << static_cast<double>(accepted) / elapsed.count()
            << R"(, "errors": )" << run.errors << "}\n";
  return 0;
}
