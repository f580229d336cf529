#pragma once

#include <string>

#include "platform/postgres/client.h"

namespace platform::service {

// The options of a service's database client: it logs when connections come and go.
postgres::ClientOptions MakeClientOptions(std::string application_name);

}  // namespace platform::service
