#pragma once

#include "platform/service/settings.h"

namespace platform::service {

// Raises the process's limit of open files as far as permitted. If all connections of `settings` do
// not fit beside the other descriptors, lowers their number and logs a warning.
void MakeRoomForConnections(Settings& settings);

}  // namespace platform::service
