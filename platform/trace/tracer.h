#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "platform/config/secret.h"
#include "platform/telemetry/report.h"
#include "platform/trace/sampler.h"
#include "platform/trace/span.h"
#include "platform/trace/trace_context.h"

namespace platform::trace {

struct TracerOptions {
  // Where the spans are sent to by OTLP over HTTP.
  struct Collector {
    bool is_tls = false;  // The system's authorities are trusted, or those of SSL_CERT_FILE.
    std::string host;     // A name or an address; an IPv6 address without brackets.
    std::uint16_t port = 0;
    std::string path;  // "/v1/traces"
    // Sent with each request. The values are secret, because one may be a key.
    std::vector<std::pair<std::string, Secret>> headers;
  };
  Collector collector;
  std::string service;  // The name of this service in traces.
  Sampler sampler;

  // Spans that are sent together. They are sent when there are so many, or after `interval`.
  std::size_t batch = 512;
  std::chrono::milliseconds interval{5000};
  // Spans that wait. While there are so many, further ones are dropped.
  std::size_t queue = 2048;
  // Time for one attempt to send, connecting included.
  std::chrono::milliseconds timeout{10'000};
  // The pause before the next attempt, if the collector is away or busy. It doubles up to the
  // maximum, with jitter. A collector may ask for another one (Retry-After), up to
  // `max_asked_pause`.
  std::chrono::milliseconds initial_pause{500};
  std::chrono::milliseconds max_pause{5000};
  std::chrono::milliseconds max_asked_pause{30'000};
};

// Records spans and sends them to an OpenTelemetry collector, from a thread of its own. So a
// collector that is slow or away never delays a request: its spans wait up to a bound, and further
// ones are dropped and counted. A batch is sent until it is accepted or refused for good. The log
// has a line when sending begins to fail, when it works again, and when spans are dropped, but at
// most one a minute.
//
// All functions but Stop() may be called from any thread.
class Tracer {
 public:
  explicit Tracer(TracerOptions options);
  ~Tracer();  // Spans that are not sent yet are lost.
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // Begins the span of a request from another process. `parent` is the span that the request names,
  // if there is one. The span is to be recorded if it is_sampled().
  TraceContext Begin(const std::optional<TraceContext>& parent) const;

  // Records a span that has ended. It must be sampled. Does not block.
  void Record(const Span& span, Attributes attributes);

  // Sends the spans that wait, which may take this long; then sends no more. Call it once.
  void Stop(std::chrono::milliseconds within);

  std::uint64_t exported() const;
  std::uint64_t dropped() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

// Reports a process's spans; `tracer` is null if it records none.
void ReportSpans(const Tracer* tracer, telemetry::Report& report);

}  // namespace platform::trace
