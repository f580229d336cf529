#include "services/customers/migrations/migrations.h"

#include <array>

#include "customers_demo_files.h"
#include "customers_migration_files.h"
#include "platform/migrations/from_files.h"

namespace customers {
namespace {

using platform::migrations::Adoption;

constexpr auto kMigrations = platform::migrations::FromFiles(kMigrationFiles);

// V001 makes the schema of the Python customers service's last revision.
constexpr std::array kAdoptions{Adoption{.alembic_revision = "ed7855b80d3fdata", .version = 1}};

constexpr platform::migrations::MigrationSet kSet{
    .migrations = kMigrations, .demo = kDemoFiles.front().content, .adoptions = kAdoptions};

}  // namespace

const platform::migrations::MigrationSet& Migrations() { return kSet; }

}  // namespace customers
