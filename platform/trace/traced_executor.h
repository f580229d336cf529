#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "platform/trace/trace_context.h"
#include "platform/trace/tracer.h"

// How a statement, a validation or another operation learns which spans it belongs to: Asio hands a
// coroutine's executor to every operation that the coroutine starts, and to the coroutines that it
// awaits. So a coroutine that works for recorded spans is spawned on an executor that names them.
// Work that nobody records runs on the plain executor and pays nothing.
namespace platform::trace {

// The recorded spans that work is done for. There are several if it is done for several requests
// together.
struct Parents {
  Tracer& tracer;
  std::vector<TraceContext> spans;
};

// Runs functions as another executor does, and names the spans that they work for.
class TracedExecutor {
 public:
  // The tracer must outlive the executor and its copies.
  TracedExecutor(boost::asio::any_io_executor executor, std::shared_ptr<const Parents> parents)
      : executor_(std::move(executor)), parents_(std::move(parents)) {}

  const std::shared_ptr<const Parents>& parents() const { return parents_; }

  // What Asio asks of an executor. All properties are those of the other executor.
  template <class Property>
    requires boost::asio::can_query<const boost::asio::any_io_executor&, Property>::value
  decltype(auto) query(const Property& property) const {
    return boost::asio::query(executor_, property);
  }
  template <class Property>
    requires boost::asio::can_require<const boost::asio::any_io_executor&, Property>::value
  TracedExecutor require(const Property& property) const {
    return {boost::asio::require(executor_, property), parents_};
  }
  template <class Property>
    requires boost::asio::can_prefer<const boost::asio::any_io_executor&, Property>::value
  TracedExecutor prefer(const Property& property) const {
    return {boost::asio::prefer(executor_, property), parents_};
  }
  template <class Function>
  void execute(Function&& function) const {
    executor_.execute(std::forward<Function>(function));
  }
  bool operator==(const TracedExecutor&) const noexcept = default;

 private:
  boost::asio::any_io_executor executor_;
  std::shared_ptr<const Parents> parents_;
};

// Returns the spans that a coroutine's executor names; null if it names none.
inline std::shared_ptr<const Parents> ParentsOf(const boost::asio::any_io_executor& executor) {
  const auto* traced = executor.target<TracedExecutor>();
  return traced == nullptr ? nullptr : traced->parents();
}

}  // namespace platform::trace
