#pragma once

#include "platform/migrations/migrations.h"

namespace customers {

// The schema of the customers database, embedded in the binary. Lives as long as the program.
const platform::migrations::MigrationSet& Migrations();

}  // namespace customers
