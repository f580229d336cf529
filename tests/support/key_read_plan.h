#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "platform/postgres/settings.h"
#include "platform/postgres/statement.h"

namespace test_support {

// Returns the plans of a read by key, as text, for each of these numbers of calls that share the
// statement. They are made in a session of a client's lane of reads by key.
std::vector<std::string> KeyReadPlans(const platform::postgres::Settings& settings,
                                      const platform::postgres::StatementText& statement,
                                      const std::vector<std::size_t>& calls);

}  // namespace test_support
