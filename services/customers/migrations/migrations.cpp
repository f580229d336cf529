#include "services/customers/migrations/migrations.h"

#include <array>
#include <string_view>

#include "customers_demo_files.h"
#include "customers_migration_files.h"
#include "platform/migrations/from_files.h"

namespace customers {
namespace {

using platform::migrations::Adoption;

constexpr auto kMigrations = platform::migrations::FromFiles(kMigrationFiles);

// V001 makes the schema of the Python customers service's last two revisions. The last one only
// adds demonstration accounts.
constexpr std::array kAdoptions{Adoption{.alembic_revision = "274d2f4e6ee7", .version = 1},
                                Adoption{.alembic_revision = "ed7855b80d3fdata", .version = 1}};

// The demonstration accounts of the reference, which a real store may have by accident.
constexpr std::string_view kAdoptionWarnings = R"(
SELECT 'these are demonstration accounts; everyone knows the password that they were created with. '
    'Delete them, or change their passwords: '
    || string_agg(format('%s (id %s%s)', email, id, CASE WHEN is_admin THEN ', administrator' END),
                  ', ' ORDER BY id)
FROM users
WHERE email IN
    ('admin1@email.com', 'admin2@email.com', 'nonadmin3@email.com', 'nonadmin4@email.com')
HAVING count(*) > 0)";

constexpr std::array kExtensions{std::string_view{"pg_trgm"}};

constexpr platform::migrations::MigrationSet kSet{.migrations = kMigrations,
                                                  .demo = kDemoFiles.front().content,
                                                  .extensions = kExtensions,
                                                  .adoptions = kAdoptions,
                                                  .adoption_warnings = kAdoptionWarnings};

}  // namespace

const platform::migrations::MigrationSet& Migrations() { return kSet; }

}  // namespace customers
