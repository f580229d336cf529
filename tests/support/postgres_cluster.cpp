#include "tests/support/postgres_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace test_support {

namespace {

// Waits for what is left of a cluster whose test has ended, one way or another: its end of the pipe
// is closed then. Argument: the cluster's directory.
constexpr const char* kGuard = R"sh(
trap '' INT TERM HUP
read -r _
lock=$1/data/postmaster.pid
test -f "$lock" && kill -QUIT "$(head -n 1 "$lock")"
tries=0
while test -f "$lock" && test $tries -lt 500; do sleep 0.02; tries=$((tries + 1)); done
rm -rf "$1"
)sh";

// Starts a program with `input` as its standard input (-1 for none); its output goes to `log`.
pid_t Spawn(std::vector<std::string> command, int input, const std::filesystem::path& log) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (std::string& argument : command) {
    arguments.push_back(argument.data());
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (input < 0) {
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  } else {
    ::posix_spawn_file_actions_adddup2(&actions, input, 0);
  }
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t process = 0;
  const int error =
      ::posix_spawn(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    throw std::system_error(error, std::generic_category(), arguments[0]);
  }
  return process;
}

// The exit status, or -1 where a signal ended it.
int Wait(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Runs one of PostgreSQL's programs to its end. Throws unless it succeeds.
void Run(std::vector<std::string> command, const std::filesystem::path& log) {
  command.front().insert(0, "/usr/lib/postgresql/15/bin/");
  if (::geteuid() == 0) {
    // They refuse to run as root.
    command.insert(command.begin(), {"/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres",
                                     "--init-groups", "--"});
  }
  if (Wait(Spawn(command, -1, log)) != 0) {
    std::ostringstream output;
    output << std::ifstream(log).rdbuf();
    throw std::runtime_error(fmt::format("{} failed: {}", fmt::join(command, " "), output.str()));
  }
}

// A port that was free a moment ago.
std::uint16_t FreePort() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool bound =
      ::bind(listener, generic, size) == 0 && ::getsockname(listener, generic, &size) == 0;
  ::close(listener);
  if (!bound) {
    throw std::runtime_error("no free port");
  }
  return ntohs(address.sin_port);
}

}  // namespace

PostgresCluster& PostgresCluster::Shared() {
  static PostgresCluster cluster;
  return cluster;
}

PostgresCluster::PostgresCluster() : port_(FreePort()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "microcart-pg-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), pattern);
  }
  directory_ = pattern;
  std::filesystem::permissions(directory_, std::filesystem::perms(0777));

  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  // In a session and under a parent of its own, so that what kills the test spares it.
  Wait(Spawn({"/usr/bin/setsid", "--fork", "/bin/sh", "-c", kGuard, "guard", directory_.string()},
             pipe[0], "/dev/null"));
  guard_pipe_ = pipe[1];
  ::close(pipe[0]);
  try {
    Run({"initdb", "--pgdata", (directory_ / "data").string(), "--username=postgres",
         "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"},
        directory_ / "initdb.log");
    Start();
  } catch (...) {
    CleanUp();
    throw;
  }
}

PostgresCluster::~PostgresCluster() { CleanUp(); }

void PostgresCluster::CleanUp() const {
  ::close(guard_pipe_);
  for (int i = 0; i < 1000 && std::filesystem::exists(directory_); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void PostgresCluster::Start() {
  const std::string options = fmt::format(
      "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={} -c fsync=off "
      "-c synchronous_commit=off -c full_page_writes=off -c shared_buffers=32MB "
      "-c max_connections=200",
      port_, directory_.string());
  Control({"start", "--options", options, "--log", (directory_ / "server.log").string()});
}

void PostgresCluster::Stop(Shutdown mode) {
  Control({"stop", "--mode", mode == Shutdown::kFast ? "fast" : "immediate"});
}

void PostgresCluster::Restart(Shutdown mode) {
  Stop(mode);
  Start();
}

void PostgresCluster::Control(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command{"pg_ctl", "--pgdata", (directory_ / "data").string(),
                                   "--wait", "--silent", "--timeout",
                                   "60"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Run(std::move(command), directory_ / "control.log");
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
