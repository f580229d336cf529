// Lines of "NAME=value" → both services' settings, or their mistakes.

#include <algorithm>
#include <string>

#include "services/cart/src/config.h"
#include "services/customers/src/config.h"
#include "tests/fuzz/check.h"

namespace {

using platform::config::Environment;

Environment::Variables ReadVariables(std::string_view text) {
  Environment::Variables variables;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    std::string name(line.substr(0, equals));
    // Files of this machine must not be read, because some never end.
    if (name.ends_with("_FILE")) continue;
    variables.insert_or_assign(std::move(name), std::string(line.substr(equals + 1)));
  }
  for (const char* name : {"TLS_CA_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE"}) {
    variables[name] = "/proc/self/exe";  // Readable, and not read yet.
  }
  return variables;
}

void CheckMistakes(const Environment& environment, const Environment::Variables& variables) {
  for (const std::string& mistake : environment.Mistakes()) {
    fuzz::Check(std::ranges::any_of(
                    environment.Described(),
                    [&](const auto& variable) { return mistake.starts_with(variable.name + " "); }),
                "a mistake names its variable");
    fuzz::Check(!mistake.contains('\n'), "a mistake is one line");
    for (const char* name : {"JWT_SECRET", "JWT_SECRET_PREVIOUS", "POSTGRES_PASSWORD"}) {
      const auto secret = variables.find(name);
      // A short secret may be part of any sentence, or of another variable's value.
      if (secret == variables.end() || secret->second.size() < 24) continue;
      const bool is_elsewhere = std::ranges::any_of(variables, [&](const auto& variable) {
        return variable.first != name && variable.second.contains(secret->second.substr(0, 24));
      });
      fuzz::Check(is_elsewhere || !mistake.contains(secret->second),
                  "a mistake contains no secret");
    }
  }
}

void CheckService(const platform::service::Settings& settings) {
  fuzz::Check(settings.workers >= 1 && settings.workers <= 256, "there are workers");
  const platform::http::Limits& limits = settings.http.limits;
  fuzz::Check(limits.connections >= 1 && limits.connections <= 1'000'000,
              "connections are bounded");
  fuzz::Check(limits.requests_per_connection >= 1, "a connection serves a request");
  fuzz::Check(limits.head_bytes >= 1024 && limits.head_bytes <= 1 << 20, "heads are bounded");
  fuzz::Check(limits.body_bytes >= 1024 && limits.body_bytes <= 16 << 20, "bodies are bounded");
  for (const auto timeout :
       {limits.head_timeout, limits.body_timeout, limits.idle_timeout, limits.write_timeout}) {
    fuzz::Check(timeout.count() >= 1000 && timeout.count() <= 3'600'000, "time is bounded");
  }
}

template <class Config>
Config Read(Config (*read)(Environment&), const Environment::Variables& variables) {
  Environment environment(variables);
  Config config = read(environment);
  CheckMistakes(environment, variables);
  CheckService(config.service);
  Environment again(variables);
  read(again);
  fuzz::Check(again.Mistakes() == environment.Mistakes(), "the same mistakes each time");
  fuzz::Check(!environment.Table().empty(), "all variables are described");
  return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Environment::Variables variables = ReadVariables(fuzz::Text(data, size));
  const customers::Config config = Read(customers::ReadConfig, variables);
  for (const platform::Secret& secret : customers::TokenSecrets(config)) {
    // An empty secret is returned only with a mistake, which ends the program.
    fuzz::Check(secret.empty() || secret.Reveal().size() >= 32, "secrets are long");
  }
  Read(cart::ReadConfig, variables);
  return 0;
}
