#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "platform/base/result.h"
#include "platform/base/task.h"

namespace platform::service {

// Removes what is out of date, in small batches, and never returns. `sweep_batch` removes one batch
// and returns whether there may be more. The next batch follows after a short pause, which limits
// the sweep to a small part of the database's time; when none is left, or after a failure, it
// follows after `rest`. `name` is for the log. One call in each process is enough; run it on one
// event loop.
Task<void> SweepForEver(std::string name, std::chrono::minutes rest,
                        std::function<Task<Result<bool>>()> sweep_batch);

}  // namespace platform::service
