#pragma once

#include "platform/service/settings.h"

namespace platform::service {

// Raises the process's limit of open files as far as it may, and lowers the connections in
// `settings` to what then fits beside everything else, with a warning.
void MakeRoomForConnections(Settings& settings);

}  // namespace platform::service
