#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "platform/postgres/settings.h"

namespace test_support {

// A temporary PostgreSQL cluster of tools/microcart, on a free port of 127.0.0.1 and on a Unix
// socket. The destructor deletes the server and its data; so does the end of the process without
// it. Its superuser is "postgres" (no password from the loopback); as root, its server runs as the
// system's user postgres.
//
// All functions block, and throw std::runtime_error if they fail.
class PostgresCluster {
 public:
  // Returns a cluster that is made at the first call and kept until the process ends. Tests that
  // stop or restart the server should have their own cluster.
  static PostgresCluster& Shared();

  PostgresCluster();  // Makes and starts a cluster.
  ~PostgresCluster();
  PostgresCluster(const PostgresCluster&) = delete;
  PostgresCluster& operator=(const PostgresCluster&) = delete;

  void Start();  // Starts it again on the same port.
  enum class Shutdown { kFast, kImmediate };
  void Stop(Shutdown mode = Shutdown::kFast);  // kImmediate is a crash.

  std::uint16_t port() const { return port_; }
  // Returns the directory of the data and the socket.
  const std::filesystem::path& directory() const { return directory_; }

  // Returns the settings with which a client logs in as the superuser over TCP.
  platform::postgres::Settings Settings(const std::string& database = "postgres") const;

  // Creates an empty database, or a copy of the template.
  void CreateDatabase(const std::string& name, const std::string& from_template = "template0");
  void DropDatabase(const std::string& name);

  // Runs one or several SQL statements. Returns the rows of the last one as text ("" for NULL).
  std::vector<std::vector<std::string>> Execute(const std::string& sql,
                                                const std::string& database = "postgres");

 private:
  void Control(const std::string& command);
  std::string Answer();

  int server_ = -1;  // A socket to tests/support/serve_postgres.
  std::filesystem::path directory_;
  std::uint16_t port_ = 0;
};

}  // namespace test_support
