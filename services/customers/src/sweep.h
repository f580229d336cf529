#pragma once

#include "platform/base/task.h"
#include "services/customers/src/store/session_store.h"

namespace customers {

// Removes expired sessions in batches, and never returns. When none are left, it pauses for a
// minute. One call in each process is enough. Run it on the store's event loop.
platform::Task<void> SweepForEver(SessionStore& sessions);

}  // namespace customers
