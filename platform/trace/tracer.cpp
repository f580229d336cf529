#include "platform/trace/tracer.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <charconv>
#include <exception>
#include <future>
#include <iterator>
#include <mutex>
#include <string_view>
#include <thread>

#include "platform/base/random_duration.h"
#include "platform/base/task.h"
#include "platform/base/version.h"
#include "platform/log/log.h"
#include "platform/security/random.h"
#include "platform/trace/collector_client.h"
#include "platform/trace/otlp_json.h"

namespace platform::trace {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kInstanceIdBytes = 16;
// Least time between two lines about dropped spans.
constexpr std::chrono::minutes kDropReportInterval{1};

constexpr telemetry::Metric kExported{"trace_spans_exported_total",
                                      "Spans that the collector has accepted."};
constexpr telemetry::Metric kDropped{
    "trace_spans_dropped_total",
    "Spans that were lost because too many waited for the collector, or because it refused them."};

bool IsAccepted(unsigned status) { return status / 100 == 2; }

// Returns whether the same batch may be accepted later, by the rules of OTLP.
bool IsTemporary(unsigned status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

// Returns the number of spans of an accepted batch that the collector has refused, from the
// partialSuccess of its reply.
std::size_t RejectedSpans(const std::string& reply) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(reply, error);
  if (error || !value.is_object()) return 0;
  const auto* partial = value.as_object().if_contains("partialSuccess");
  if (partial == nullptr || !partial->is_object()) return 0;
  const auto* rejected = partial->as_object().if_contains("rejectedSpans");
  if (rejected == nullptr) return 0;
  std::uint64_t count = 0;
  if (rejected->is_string()) {
    const auto& digits = rejected->as_string();
    std::from_chars(digits.data(), digits.data() + digits.size(), count);
  } else if (rejected->is_number()) {
    count = rejected->to_number<std::uint64_t>(error);
  }
  return count;
}

}  // namespace

class Tracer::Impl {
 public:
  explicit Impl(TracerOptions options)
      : options_(std::move(options)),
        beginning_(OtlpBeginning({{"service.name", options_.service},
                                  {"service.version", kVersion},
                                  {"service.instance.id", security::RandomHex(kInstanceIdBytes)}})),
        client_(loop_.get_executor(), options_.collector) {
    asio::co_spawn(loop_, Send(), [this](const std::exception_ptr& exception) {
      if (exception) LogException(exception);
      done_.set_value();
    });
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Impl() {
    loop_.stop();
    thread_.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  const Sampler& sampler() const { return options_.sampler; }
  std::uint64_t exported() const { return exported_.value(); }
  std::uint64_t dropped() const { return dropped_.value(); }

  void Add(std::string span) {
    {
      const std::scoped_lock lock(mutex_);
      if (queue_.size() >= options_.queue) {
        dropped_.Add();
        return;
      }
      unsent_.Add(1);
      queue_.push_back(std::move(span));
      if (queue_.size() != options_.batch) return;
    }
    Wake();
  }

  void Stop(std::chrono::milliseconds within) {
    is_stopping_ = true;
    Wake();
    done_.get_future().wait_for(within);
    if (unsent_.value() > 0) log::Warning("spans lost at the end", {{"spans", unsent_.value()}});
  }

 private:
  // Ends the present wait for a batch, or the pause before the next attempt.
  void Wake() {
    asio::post(loop_, [this] { timer_.cancel(); });
  }

  static void LogException(const std::exception_ptr& exception) {
    try {
      std::rethrow_exception(exception);
    } catch (const std::exception& error) {
      log::Error("spans are sent no more", {{"error", error.what()}});
    }
  }

  // Sends batches until Stop() is called, and then those that are left, until one cannot be sent.
  Task<void> Send() {
    for (;;) {
      if (!is_stopping_ && Waiting() < options_.batch) {
        client_.Close();  // The next batch may be far away.
        co_await Pause(options_.interval);
      }
      const bool is_last_attempt = is_stopping_;
      const std::vector<std::string> spans = Take();
      if (spans.empty()) {
        if (is_last_attempt) co_return;
      } else if (!co_await SendBatch(spans) && is_stopping_) {
        co_return;
      }
      ReportDropped();
    }
  }

  std::size_t Waiting() {
    const std::scoped_lock lock(mutex_);
    return queue_.size();
  }

  // Removes up to a batch of spans from the queue.
  std::vector<std::string> Take() {
    const std::scoped_lock lock(mutex_);
    const auto end =
        queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), options_.batch));
    std::vector<std::string> spans(std::move_iterator(queue_.begin()), std::move_iterator(end));
    queue_.erase(queue_.begin(), end);
    return spans;
  }

  Task<void> Pause(std::chrono::milliseconds pause) {
    timer_.expires_after(pause);
    co_await timer_.async_wait(kAwait);
  }

  // Sends a batch until it is accepted or refused for good. Returns false if it was given up
  // because of Stop().
  Task<bool> SendBatch(const std::vector<std::string>& spans) {
    std::string body = beginning_;
    for (const std::string& span : spans) {
      if (&span != &spans.front()) body += ',';
      body += span;
    }
    body += kOtlpEnd;
    for (std::chrono::milliseconds pause = options_.initial_pause;;
         pause = std::min(2 * pause, options_.max_pause)) {
      const auto reply = co_await client_.Post(body, options_.timeout);
      if (reply && IsAccepted(reply->status)) {
        const std::size_t rejected = std::min(RejectedSpans(reply->body), spans.size());
        Settle(spans.size() - rejected, rejected);
        NoteSuccess();
        co_return true;
      }
      NoteFailure(reply ? "HTTP status " + std::to_string(reply->status) : reply.error());
      if (reply && !IsTemporary(reply->status)) {
        Settle(0, spans.size());
        co_return true;
      }
      if (is_stopping_) co_return false;
      client_.Close();
      co_await Pause(
          reply && reply->retry_after
              ? std::min<std::chrono::milliseconds>(*reply->retry_after, options_.max_asked_pause)
              : RandomDuration(pause / 2, pause));
      ReportDropped();
    }
  }

  void Settle(std::size_t accepted, std::size_t refused) {
    exported_.Add(accepted);
    dropped_.Add(refused);
    unsent_.Add(-static_cast<std::int64_t>(accepted + refused));
  }

  void NoteFailure(std::string_view reason) {
    if (std::exchange(is_failing_, true)) return;
    log::Warning("cannot send spans to the collector", {{"error", reason}});
  }

  void NoteSuccess() {
    if (!std::exchange(is_failing_, false)) return;
    log::Info("spans are sent again", {{"dropped", dropped()}});
    reported_dropped_ = dropped();
  }

  void ReportDropped() {
    const auto now = Clock::now();
    if (dropped() == reported_dropped_ || now < next_drop_report_) return;
    reported_dropped_ = dropped();
    next_drop_report_ = now + kDropReportInterval;
    log::Warning("spans dropped", {{"total", reported_dropped_}});
  }

  const TracerOptions options_;
  const std::string beginning_;
  telemetry::Counter exported_;
  telemetry::Counter dropped_;
  telemetry::Gauge unsent_;  // Spans that wait or are being sent.
  std::atomic<bool> is_stopping_ = false;

  std::mutex mutex_;
  std::vector<std::string> queue_;  // Spans as JSON objects. Guarded by the mutex.

  // The following belong to the loop's thread.
  asio::io_context loop_{/*concurrency_hint=*/1};
  asio::steady_timer timer_{loop_};
  CollectorClient client_;
  bool is_failing_ = false;
  std::uint64_t reported_dropped_ = 0;
  Clock::time_point next_drop_report_{};

  std::promise<void> done_;
  std::thread thread_;
};

Tracer::Tracer(TracerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Tracer::~Tracer() = default;

TraceContext Tracer::Begin(const std::optional<TraceContext>& parent) const {
  TraceContext span = parent ? parent->NewSpan() : TraceContext();
  span.SetSampled(impl_->sampler().Samples(parent, span));
  return span;
}

void Tracer::Record(const Span& span, Attributes attributes) {
  impl_->Add(ToOtlpJson(span, attributes));
}

void Tracer::Stop(std::chrono::milliseconds within) { impl_->Stop(within); }

std::uint64_t Tracer::exported() const { return impl_->exported(); }

std::uint64_t Tracer::dropped() const { return impl_->dropped(); }

void ReportSpans(const Tracer* tracer, telemetry::Report& report) {
  report.AddCounter(kExported, {},
                    tracer == nullptr ? 0.0 : static_cast<double>(tracer->exported()));
  report.AddCounter(kDropped, {}, tracer == nullptr ? 0.0 : static_cast<double>(tracer->dropped()));
}

}  // namespace platform::trace
