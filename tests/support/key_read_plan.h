#pragma once

#include <vector>

#include "platform/postgres/settings.h"
#include "platform/postgres/statement.h"

namespace test_support {

// Expects that each read by key among the statements of the stores is planned with indexes alone,
// for 1 to 1,000 calls that share the statement. The plans are made in a session of a client's lane
// of reads by key. Returns the number of reads by key.
int ExpectIndexPlans(const platform::postgres::Settings& settings,
                     const std::vector<std::vector<platform::postgres::StatementText>>& stores);

}  // namespace test_support
