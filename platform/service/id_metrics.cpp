#include "platform/service/id_metrics.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/describe/class.hpp>
#include <chrono>
#include <exception>
#include <utility>

#include "platform/log/log.h"

namespace platform::service {
namespace {

constexpr std::chrono::milliseconds kPeriod{std::chrono::minutes(1)};
constexpr std::chrono::milliseconds kRetryPeriod{200};

constexpr telemetry::Metric kIdsLeft{"db_sequence_ids_left",
                                     "Ids that the sequence can still give out."};

struct SequenceRow {
  std::string name;
  std::int64_t ids_left = 0;
};
BOOST_DESCRIBE_STRUCT(SequenceRow, (), (name, ids_left))

// A sequence whose position the role may not read has a last_value of NULL, as one that was never
// used has.
constexpr postgres::Statement<SequenceRow> kReadSequences{"read_sequences", postgres::Lane::kSearch,
                                                          R"(
SELECT sequencename::text, max_value - coalesce(last_value, start_value - 1)
FROM pg_sequences
WHERE schemaname = ANY(current_schemas(false)))"};

}  // namespace

Task<void> IdMetrics::Watch(postgres::Client& database) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  for (;;) {
    bool has_read = false;
    try {
      has_read = co_await Read(database);
    } catch (const std::exception& error) {
      log::Error("reading sequences failed", {{"error", error.what()}});
    }
    timer.expires_after(has_read ? kPeriod : kRetryPeriod);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

Task<bool> IdMetrics::Read(postgres::Client& database) {
  auto rows = co_await database.Query(kReadSequences);
  if (!rows) co_return false;
  std::vector<Sequence> sequences;
  for (auto& [name, ids_left] : *rows) sequences.push_back({std::move(name), ids_left});
  const std::scoped_lock lock(mutex_);
  sequences_ = std::move(sequences);
  co_return true;
}

void IdMetrics::ReportTo(telemetry::Report& report) const {
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, ids_left] : sequences_) {
    report.AddGauge(kIdsLeft, {{"sequence", name}}, static_cast<double>(ids_left));
  }
}

}  // namespace platform::service
