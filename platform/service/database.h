#pragma once

#include <string>

#include "platform/postgres/client.h"

namespace platform::service {

// Returns the options of a service's database client, which logs made and lost connections,
// and warns once if the service's role is a superuser.
postgres::ClientOptions MakeClientOptions(std::string application_name);

}  // namespace platform::service
