#include "services/customers/src/rpc/validation.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "platform/log/log.h"
#include "platform/trace/traced_executor.h"

namespace customers {
namespace {

namespace asio = boost::asio;
namespace trace = platform::trace;
using platform::Result;
using platform::Task;
using Verdicts = std::vector<Result<Identity>>;

// The spans of tokens that are validated together.
class Spans {
 public:
  // Begins a span for each token whose request is recorded, and has its verdict logged under this
  // span. An empty authorization asks only whether the service answers, so it has none.
  Spans(trace::Tracer* tracer, std::vector<AskedToken>& tokens) : tracer_(tracer) {
    if (tracer_ == nullptr) return;
    spans_.reserve(tokens.size());  // So that the tokens may refer to the spans.
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i].authorization.empty()) continue;
      const auto parent = trace::TraceContext::Parse(tokens[i].traceparent);
      const trace::TraceContext span = tracer_->Begin(parent);
      if (!span.is_sampled()) continue;
      spans_.push_back({.token = i, .parent = parent, .context = span});
      tokens[i].traceparent = spans_.back().context.traceparent();
    }
    if (!spans_.empty()) start_ = trace::SpanClock::now();
  }

  bool empty() const { return spans_.empty(); }

  // Returns an executor whose operations have these spans as their parents.
  trace::TracedExecutor On(const asio::any_io_executor& executor) const {
    auto parents = std::make_shared<trace::Parents>(*tracer_);
    std::ranges::transform(spans_, std::back_inserter(parents->spans), &Span::context);
    return {executor, std::move(parents)};
  }

  void End(std::string_view method, const Verdicts& verdicts) const {
    const auto end = trace::SpanClock::now();
    for (const Span& span : spans_) {
      const Result<Identity>& verdict = verdicts[span.token];
      const bool is_failed = !verdict && !IsRefusal(verdict.error());
      std::optional<std::string_view> error;
      if (is_failed) error = "unavailable";
      tracer_->Record({.context = span.context,
                       .parent_id = span.parent ? span.parent->span_id() : std::string_view(),
                       .kind = trace::SpanKind::kServer,
                       .name = method,
                       .start = start_,
                       .end = end,
                       .is_failed = is_failed},
                      {{"rpc.system", "grpc"},
                       {"rpc.method", method},
                       {"microcart.token.accepted", verdict.has_value()},
                       {"error.type", error}});
    }
  }

 private:
  struct Span {
    std::size_t token;  // Its index.
    std::optional<trace::TraceContext> parent;
    trace::TraceContext context;
  };

  trace::Tracer* const tracer_;
  std::vector<Span> spans_;
  trace::SpanClock::time_point start_;
};

}  // namespace

Task<Verdicts> Judge(const ValidationWorker& worker, std::string_view method,
                     std::vector<AskedToken> tokens) {
  std::vector<std::string_view> authorizations(tokens.size());
  std::ranges::transform(tokens, authorizations.begin(), &AskedToken::authorization);
  const Spans spans(worker.tracer, tokens);
  Verdicts verdicts;
  try {
    if (spans.empty()) {
      verdicts = co_await worker.validate(std::move(authorizations));
    } else {
      verdicts =
          co_await asio::co_spawn(spans.On(worker.executor),
                                  worker.validate(std::move(authorizations)), asio::use_awaitable);
    }
  } catch (const std::exception& fault) {
    platform::log::Error("validating tokens failed", {{"reason", fault.what()}});
    verdicts.assign(tokens.size(), std::unexpected(platform::Error::Internal()));
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) LogVerdict(tokens[i], verdicts[i]);
  spans.End(method, verdicts);
  co_return verdicts;
}

}  // namespace customers
