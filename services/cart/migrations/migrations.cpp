#include "services/cart/migrations/migrations.h"

#include <array>

#include "cart_demo_files.h"
#include "cart_migration_files.h"
#include "platform/migrations/from_files.h"

namespace cart {
namespace {

using platform::migrations::Adoption;

constexpr auto kMigrations = platform::migrations::FromFiles(kMigrationFiles);

// V001 makes the schema of the Python cart service's last revision.
constexpr std::array kAdoptions{Adoption{.alembic_revision = "2560f7762880data", .version = 1}};

constexpr platform::migrations::MigrationSet kSet{
    .migrations = kMigrations, .demo = kDemoFiles.front().content, .adoptions = kAdoptions};

}  // namespace

const platform::migrations::MigrationSet& Migrations() { return kSet; }

}  // namespace cart
