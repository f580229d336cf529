#include "services/customers/src/command_line.h"

#include <fmt/core.h>

#include <cstdio>

namespace customers {

int Fail(std::string_view problem) {
  fmt::print(stderr, "customers: {}\n", problem);
  return 1;
}

int Fail(const platform::Error& error) {
  if (!error.fields.empty()) return Fail(error.fields.begin()->second.front());
  return Fail(error.code == platform::ErrorCode::kUnavailable ? "the database is not reachable"
                                                              : "the database refused the account");
}

}  // namespace customers
