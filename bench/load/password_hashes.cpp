// bench_password_hashes: measures how many passwords a second libsodium verifies on all cores, with
// the services' parameters. Prints a JSON object. With --hash it prints one hash instead.

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "platform/security/password.h"

int main(int argc, char** argv) {
  std::string password = "testPass123";
  double seconds = 1;
  unsigned threads = std::thread::hardware_concurrency();
  bool only_hash = false;
  CLI::App app("Checks passwords on all cores, and prints how many a second.");
  app.add_option("--password", password, "the text to hash");
  app.add_option("--seconds", seconds, "how long");
  app.add_option("--threads", threads, "how many at once; by default one for each core");
  app.add_flag("--hash", only_hash, "print a hash of the password instead");
  CLI11_PARSE(app, argc, argv);

  const std::string hash = platform::security::HashPassword(password);
  if (only_hash) {
    std::cout << hash << '\n';
    return 0;
  }
  std::atomic<std::int64_t> count = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < threads; ++i) {
      workers.emplace_back([&] {
        while (elapsed() < seconds) {
          if (platform::security::VerifyPassword(hash, password).matches) ++count;
        }
      });
    }
  }
  std::cout << R"({"per_second": )" << static_cast<double>(count) / elapsed() << "}\n";
  return 0;
}
