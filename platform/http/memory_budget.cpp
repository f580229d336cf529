#include "platform/http/memory_budget.h"

namespace platform::http {

bool MemoryBudget::Share::Resize(std::size_t bytes) {
  if (budget_ == nullptr || bytes == bytes_) return true;
  if (bytes < bytes_) {
    budget_->used_.fetch_sub(bytes_ - bytes, std::memory_order_relaxed);
  } else {
    const std::size_t more = bytes - bytes_;
    const std::size_t used = budget_->used_.fetch_add(more, std::memory_order_relaxed) + more;
    if (used > budget_->limit_ && used > bytes) {
      budget_->used_.fetch_sub(more, std::memory_order_relaxed);
      budget_->failures_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
  }
  bytes_ = bytes;
  return true;
}

}  // namespace platform::http
