#include "tests/support/postgres_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace test_support {

PostgresCluster& PostgresCluster::Shared() {
  static PostgresCluster cluster;
  return cluster;
}

PostgresCluster::PostgresCluster() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0 ||
      ::fcntl(ends[0], F_SETFD, FD_CLOEXEC) != 0) {
    throw std::runtime_error("no socket");
  }
  server_ = ends[0];
  // It runs in its own session and under its own parent, so that it survives the end of the test.
  const std::string command =
      fmt::format("setsid --fork '{}/tests/support/serve_postgres' <&{} >&{}", MICROCART_SOURCE_DIR,
                  ends[1], ends[1]);
  // NOLINTNEXTLINE(bugprone-command-processor,concurrency-mt-unsafe): runs a command.
  const int status = std::system(command.c_str());
  ::close(ends[1]);
  if (status != 0) {
    throw std::runtime_error("failed: " + command);
  }
  port_ = static_cast<std::uint16_t>(std::stoi(Answer()));
  directory_ = Answer();
}

PostgresCluster::~PostgresCluster() {
  ::shutdown(server_, SHUT_WR);
  std::array<char, 64> rest{};
  while (::read(server_, rest.data(), rest.size()) > 0) {
  }
  ::close(server_);
}

void PostgresCluster::Start() { Control("start"); }

void PostgresCluster::Stop(Shutdown mode) {
  Control(mode == Shutdown::kFast ? "stop fast" : "stop immediate");
}

void PostgresCluster::Control(const std::string& command) {
  const std::string line = command + "\n";
  if (::send(server_, line.data(), line.size(), MSG_NOSIGNAL) < 0) {
    throw std::runtime_error("serve_postgres has ended");
  }
  Answer();
}

std::string PostgresCluster::Answer() {
  std::string line;
  for (char character = 0; ::read(server_, &character, 1) == 1;) {
    if (character == '\n') {
      return line;
    }
    line += character;
  }
  throw std::runtime_error("serve_postgres has failed; standard error has the reason");
}

platform::postgres::Settings PostgresCluster::Settings(const std::string& database) const {
  return {.servers = {{.host = "127.0.0.1", .port = port_}},
          .database = database,
          .user = "postgres",
          .password = {},
          .sslmode = "disable"};
}

void PostgresCluster::CreateDatabase(const std::string& name, const std::string& from_template) {
  Execute(fmt::format(R"(CREATE DATABASE "{}" TEMPLATE "{}")", name, from_template));
}

void PostgresCluster::DropDatabase(const std::string& name) {
  Execute(fmt::format(R"(DROP DATABASE "{}" WITH (FORCE))", name));
}

std::vector<std::vector<std::string>> PostgresCluster::Execute(const std::string& sql,
                                                               const std::string& database) {
  const std::unique_ptr<PGconn, decltype([](PGconn* c) { PQfinish(c); })> connection(
      PQsetdbLogin(directory_.c_str(), std::to_string(port_).c_str(), nullptr, nullptr,
                   database.c_str(), "postgres", nullptr));
  PQsetNoticeProcessor(connection.get(), [](void*, const char*) {}, nullptr);
  const std::unique_ptr<PGresult, decltype([](PGresult* r) { PQclear(r); })> result(
      PQexec(connection.get(), sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    throw std::runtime_error(fmt::format("{}: {}", sql, PQerrorMessage(connection.get())));
  }
  std::vector<std::vector<std::string>> rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    auto& values = rows.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      values.emplace_back(PQgetvalue(result.get(), row, column));
    }
  }
  return rows;
}

}  // namespace test_support
