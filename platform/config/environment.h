#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/config/secret.h"

namespace platform::config {

// Reads environment variables into typed values. Collects every mistake instead of stopping at the
// first, so that main can print all of them:
//
//   Environment environment;
//   settings.port = environment.ListenPort("SERVICE_PORT", 8081, "port of the REST API");
//   ...
//   for (const auto& mistake : environment.Mistakes()) std::cerr << mistake << '\n';
//
// An empty variable counts as not set. After a mistake the call returns its fallback, or an empty
// value if it has none. Each call also records the variable for the configuration table of --help.
// Not thread-safe; read the process's variables before starting threads.
class Environment {
 public:
  // The description of a variable in --help.
  struct Variable {
    std::string name;
    std::string fallback;  // As text; empty if there is none.
    bool required = false;
    std::string help;  // A phrase, such as "port of the REST API".
  };

  // An inclusive range.
  struct Range {
    int min;
    int max;
  };

  using Variables = std::map<std::string, std::string, std::less<>>;

  Environment() = default;  // Reads the process's environment.
  explicit Environment(Variables variables) : variables_(std::move(variables)) {}

  // Text. The help of a required variable should complete "it should be the ...".
  std::string RequiredString(std::string_view name, std::string_view help);
  std::string String(std::string_view name, std::string_view fallback, std::string_view help);

  // A decimal whole number. `fallback_text` replaces the fallback in the table if the fallback
  // depends on the machine.
  int Integer(std::string_view name, int fallback, Range range, std::string_view help,
              std::string_view fallback_text = {});
  std::chrono::seconds Seconds(std::string_view name, std::chrono::seconds fallback, Range range,
                               std::string_view help);

  // A port to connect to (1 to 65535), or to listen on (also 0, which takes any free port).
  std::uint16_t Port(std::string_view name, std::uint16_t fallback, std::string_view help);
  std::uint16_t ListenPort(std::string_view name, std::uint16_t fallback, std::string_view help);

  // true/false, yes/no, on/off, 1/0, in any case.
  bool Boolean(std::string_view name, bool fallback, std::string_view help);

  // One of `choices`, in the same spelling.
  std::string OneOf(std::string_view name, std::initializer_list<std::string_view> choices,
                    std::string_view fallback, std::string_view help);

  // The secret in the variable `name`, or in the file that `name`_FILE names, without one newline
  // at its end. Exactly one of the two must be set. The secret has at least `min_bytes` bytes.
  Secret SecretOrFile(std::string_view name, std::size_t min_bytes, std::string_view help);
  // The same, but not required; empty if neither is set.
  Secret OptionalSecretOrFile(std::string_view name, std::size_t min_bytes, std::string_view help);

  // The path of a file that can be opened for reading. Required.
  std::string ReadableFile(std::string_view name, std::string_view help);

  // One line per mistake, in the order of the calls, with the variable, the fault and the expected
  // value. Never contains a secret.
  const std::vector<std::string>& Mistakes() const { return mistakes_; }

  // Adds a mistake that only the caller can detect, such as two values that exclude each other. The
  // line consists of the name, a space and `problem`.
  void AddMistake(std::string_view name, std::string_view problem);

  // The variables that have been read so far, each once, in the order of the calls.
  const std::vector<Variable>& Described() const { return described_; }

  // The same as an aligned table for --help, one line per variable.
  std::string Table() const;

 private:
  std::optional<std::string> Lookup(std::string_view name) const;
  void Describe(std::string_view name, std::string_view fallback, bool required,
                std::string_view help);
  void AddUnreadable(std::string_view name, std::string_view path, std::string_view reason);
  int ReadInteger(std::string_view name, int fallback, Range range, std::string_view noun);
  // Returns nothing if neither the variable nor its file is set.
  std::optional<Secret> ReadSecret(std::string_view name, std::size_t min_bytes, bool required,
                                   std::string_view help);

  std::optional<Variables> variables_;  // If not set, the process's variables.
  std::vector<std::string> mistakes_;
  std::vector<Variable> described_;
};

}  // namespace platform::config
