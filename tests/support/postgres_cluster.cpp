#include "tests/support/postgres_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace test_support {

namespace {

void Require(int error, const char* what) {
  if (error != 0) {
    throw std::system_error(error, std::generic_category(), what);
  }
}

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    Require(::pipe2(ends.data(), O_CLOEXEC) == 0 ? 0 : errno, "pipe");
    read = ends[0];
    write = ends[1];
  }

  int read = -1;
  int write = -1;
};

// Runs tests/support/serve_postgres with these descriptors as its standard input and output. It has
// a session and a parent of its own, so that what kills the test spares it.
void Spawn(int input, int output) {
  std::string script = MICROCART_SOURCE_DIR "/tests/support/serve_postgres";
  std::string setsid = "/usr/bin/setsid";
  std::string fork = "--fork";
  const std::array<char*, 4> arguments{setsid.data(), fork.data(), script.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t process = 0;
  const int error =
      ::posix_spawn(&process, setsid.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  Require(error, setsid.c_str());
  while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

PostgresCluster& PostgresCluster::Shared() {
  static PostgresCluster cluster;
  return cluster;
}

PostgresCluster::PostgresCluster() {
  const Pipe commands;
  const Pipe answers;
  Spawn(commands.read, answers.write);
  ::close(commands.read);
  ::close(answers.write);
  commands_.reset(::fdopen(commands.write, "w"));
  answers_.reset(::fdopen(answers.read, "r"));
  port_ = static_cast<std::uint16_t>(std::stoi(Answer()));
  directory_ = Answer();
}

PostgresCluster::~PostgresCluster() {
  commands_.reset();
  while (std::fgetc(answers_.get()) != EOF) {
  }
}

void PostgresCluster::Start() { Control("start"); }

void PostgresCluster::Stop(Shutdown mode) {
  Control(mode == Shutdown::kFast ? "stop fast" : "stop immediate");
}

void PostgresCluster::Control(const std::string& command) {
  fmt::print(commands_.get(), "{}\n", command);
  std::fflush(commands_.get());
  Answer();
}

std::string PostgresCluster::Answer() {
  std::string line;
  for (int character = 0; (character = std::fgetc(answers_.get())) != '\n';) {
    if (character == EOF) {
      throw std::runtime_error("serve_postgres has failed; standard error has the reason");
    }
    line += static_cast<char>(character);
  }
  return line;
}

platform::postgres::Settings PostgresCluster::Settings(const std::string& database) const {
  return {.host = "127.0.0.1",
          .port = port_,
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
