#pragma once

#include "platform/base/task.h"
#include "services/customers/src/store/session_store.h"

namespace customers {

// Removes expired sessions, for ever, in batches. It pauses for a minute when there are no more.
// One caller in each process is enough. Run it on the store's event loop.
platform::Task<void> SweepForEver(SessionStore& sessions);

}  // namespace customers
