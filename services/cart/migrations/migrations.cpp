#include "services/cart/migrations/migrations.h"

#include <array>
#include <string_view>

#include "cart_demo_files.h"
#include "cart_migration_files.h"
#include "platform/migrations/from_files.h"

namespace cart {
namespace {

using platform::migrations::Adoption;

constexpr auto kMigrations = platform::migrations::FromFiles(kMigrationFiles);

// V001 makes the schema of the Python cart service's last two revisions. The last one only adds
// demonstration data.
constexpr std::array kAdoptions{Adoption{.alembic_revision = "b13d1d3c6adb", .version = 1},
                                Adoption{.alembic_revision = "2560f7762880data", .version = 1}};

constexpr std::array kExtensions{std::string_view{"pg_trgm"}};

constexpr platform::migrations::MigrationSet kSet{.migrations = kMigrations,
                                                  .demo = kDemoFiles.front().content,
                                                  .extensions = kExtensions,
                                                  .adoptions = kAdoptions};

}  // namespace

const platform::migrations::MigrationSet& Migrations() { return kSet; }

}  // namespace cart
