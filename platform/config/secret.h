#pragma once

#include <string>
#include <utility>

namespace platform {

// A value that must not appear in a log or an error message. It has no stream operator, no
// formatter and no implicit conversion. `Reveal` marks each place that really needs the text.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

}  // namespace platform
