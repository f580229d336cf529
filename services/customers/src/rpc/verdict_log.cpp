#include "services/customers/src/rpc/verdict_log.h"

#include <cstdint>
#include <optional>

#include "platform/log/log.h"
#include "platform/trace/request_id.h"
#include "platform/trace/trace_context.h"
#include "services/customers/src/rpc/validation.h"

namespace customers {

namespace log = platform::log;

void LogVerdict(const AskedToken& asked, const platform::Result<Identity>& verdict) {
  const log::Level level = verdict ? log::Level::kDebug : log::Level::kInfo;
  if (!log::Enabled(level) || asked.authorization.empty()) return;

  std::optional<std::string_view> request_id;
  if (platform::trace::IsRequestId(asked.request_id)) request_id = asked.request_id;
  const auto span = platform::trace::TraceContext::Parse(asked.traceparent);
  std::optional<std::string_view> trace_id;
  std::optional<std::string_view> span_id;
  if (span) {
    trace_id = span->trace_id();
    span_id = span->span_id();
  }
  std::optional<std::int32_t> user_id;
  std::optional<std::string_view> reason;
  std::string_view message = "token accepted";
  if (verdict) {
    user_id = verdict->id;
  } else if (IsRefusal(verdict.error())) {
    message = "token refused";
    reason = verdict.error().reason;
  } else {
    message = "token not validated";
  }
  log::Write(level, message,
             {{"request_id", request_id},
              {"reason", reason},
              {"user_id", user_id},
              {"trace_id", trace_id},
              {"span_id", span_id}});
}

}  // namespace customers
