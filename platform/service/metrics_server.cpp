#include "platform/service/metrics_server.h"

#include <boost/asio/io_context.hpp>
#include <string_view>
#include <thread>
#include <utility>

#include "platform/http/router.h"
#include "platform/http/server.h"
#include "platform/log/log.h"
#include "platform/telemetry/process.h"

namespace platform::service {
namespace {

constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";
constexpr telemetry::Metric kDroppedLines{
    "log_lines_dropped_total", "Lines of the log that were lost because its reader stalled."};
constexpr http::Limits kLimits{.body_bytes = 0, .connections = 64};
constexpr std::size_t kMemoryBytes = std::size_t{4} * 1024 * 1024;

// The App of the routes.
struct Page {
  std::string service;
  telemetry::Source source;

  http::Response Write() const {
    telemetry::Report report;
    telemetry::ReportBuild(report, service);
    telemetry::ReportProcess(report);
    report.AddCounter(kDroppedLines, {}, static_cast<double>(log::DroppedLines()));
    source(report);
    return {.body = report.Text(), .content_type = kContentType};
  }
};

}  // namespace

class MetricsServer::Impl {
 public:
  Impl(http::Listener listener, Page page)
      : page_(std::move(page)),
        port_(listener.port()),
        server_(loop_.get_executor(), std::move(listener),
                [this](const http::Request& request) { return routes_.Dispatch(page_, request); },
                {.limits = kLimits, .memory = std::make_shared<http::MemoryBudget>(kMemoryBytes)}) {
    routes_.AddRaw(http::Method::kGet, "/metrics",
                   [](Page& page_to_write, const http::Request&) -> Task<http::Response> {
                     co_return page_to_write.Write();
                   });
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Impl() {
    loop_.stop();
    thread_.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  Page page_;
  http::Router<Page> routes_;
  std::uint16_t port_;
  boost::asio::io_context loop_{/*concurrency_hint=*/1};
  http::Server server_;
  std::thread thread_;
};

std::expected<MetricsServer, std::string> MetricsServer::Start(const std::string& address,
                                                               std::uint16_t port,
                                                               std::string service,
                                                               telemetry::Source source) {
  auto listeners = http::Listener::Open(address, port, 1);
  if (!listeners) return std::unexpected(listeners.error());
  return MetricsServer(
      std::make_unique<Impl>(std::move(listeners->front()),
                             Page{.service = std::move(service), .source = std::move(source)}));
}

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsServer::MetricsServer(MetricsServer&& other) noexcept = default;
MetricsServer::~MetricsServer() = default;

std::uint16_t MetricsServer::port() const { return impl_->port(); }

}  // namespace platform::service
