#pragma once

#include "platform/migrations/migrations.h"

namespace cart {

// The schema of the cart database, embedded in the binary. Lives as long as the program.
const platform::migrations::MigrationSet& Migrations();

}  // namespace cart
