#include "platform/service/health.h"

#include <algorithm>
#include <cstdint>
#include <ranges>

#include "platform/log/log.h"
#include "platform/migrations/migrations.h"
#include "platform/schema/write.h"

namespace platform::service {
namespace {

constexpr telemetry::Metric kReady{"service_ready", "1 where the service can do its work."};
constexpr telemetry::Metric kDependencyReady{"service_dependency_ready",
                                             "1 if every worker can use this dependency, else 0."};

constexpr postgres::Statement<std::int32_t> kSchemaVersion{
    "schema_version", postgres::Lane::kKeyRead, migrations::kSchemaVersionSql};

// Fails where a write would.
constexpr postgres::Statement<void> kCheckWritable{"check_writable", postgres::Lane::kWrite, R"(
DO $$
BEGIN
  IF current_setting('transaction_read_only')::boolean THEN
    RAISE EXCEPTION 'the session is read-only' USING ERRCODE = 'read_only_sql_transaction';
  END IF;
END
$$)"};

// Returns each dependency once. It is ready if all workers that have reported it found it ready.
std::vector<Dependency> Combine(const std::vector<std::vector<Dependency>>& reports) {
  std::vector<Dependency> combined;
  for (const Dependency& reported : reports | std::views::join) {
    const auto known = std::ranges::find(combined, reported.name, &Dependency::name);
    if (known == combined.end()) {
      combined.push_back(reported);
    } else {
      known->is_ready = known->is_ready && reported.is_ready;
    }
  }
  return combined;
}

}  // namespace

Task<bool> IsDatabaseReady(postgres::Client& database, int schema_version) {
  using Kind = postgres::QueryError::Kind;
  const auto version = co_await database.QueryOne(kSchemaVersion);
  if (version ? *version != schema_version : version.error().kind != Kind::kOverloaded) {
    co_return false;
  }
  // In these lanes a statement may wait for a lock or for slow searches, which is no outage either.
  const auto answers_or_is_busy = [](const auto& answer) {
    return answer || answer.error().kind == Kind::kOverloaded ||
           answer.error().kind == Kind::kTimeout;
  };
  co_return answers_or_is_busy(co_await database.Execute(kCheckWritable)) &&
      answers_or_is_busy(co_await database.QueryOne(kSchemaVersion.In(postgres::Lane::kSearch))) &&
      database.connected();
}

void Readiness::Report(std::size_t worker, std::vector<Dependency> dependencies) {
  const std::scoped_lock lock(mutex_);
  reports_[worker] = std::move(dependencies);
  TellChange();
  std::string waiting_for;
  for (const Dependency& dependency : Combine(reports_)) {
    if (dependency.is_ready) continue;
    if (!waiting_for.empty()) waiting_for += ", ";
    waiting_for += dependency.name;
  }
  if (std::exchange(waiting_for_, waiting_for) == waiting_for || is_stopping_) return;
  if (waiting_for.empty()) {
    log::Info("ready");
  } else {
    log::Warning("not ready", {{"waiting_for", waiting_for}});
  }
}

void Readiness::Stop() {
  const std::scoped_lock lock(mutex_);
  is_stopping_ = true;
  TellChange();
}

void Readiness::OnChange(std::function<void(bool is_ready)> tell) {
  const std::scoped_lock lock(mutex_);
  tell_ = std::move(tell);
  tell_(told_ready_);
}

bool Readiness::IsReady() const {
  return !is_stopping_ && std::ranges::none_of(reports_, &std::vector<Dependency>::empty) &&
         std::ranges::all_of(reports_ | std::views::join, &Dependency::is_ready);
}

void Readiness::TellChange() {
  const bool is_ready = IsReady();
  if (std::exchange(told_ready_, is_ready) != is_ready) tell_(is_ready);
}

Readiness::Finding Readiness::Find() const {
  const std::scoped_lock lock(mutex_);
  return {.is_ready = IsReady(), .dependencies = Combine(reports_)};
}

http::Response Readiness::ToResponse() const {
  const auto [is_ready, dependencies] = Find();
  std::string body = R"({"data":{"ready":)";
  schema::Write(is_ready, body);
  for (const Dependency& dependency : dependencies) {
    body += ',';
    schema::Write(dependency.name, body);
    body += ':';
    schema::Write(dependency.is_ready, body);
  }
  body += "}}";
  return {.status = is_ready ? 200U : 503U, .body = std::move(body)};
}

void Readiness::ReportTo(telemetry::Report& report) const {
  const auto [is_ready, dependencies] = Find();
  report.AddGauge(kReady, {}, is_ready ? 1 : 0);
  for (const auto& [name, dependency_is_ready] : dependencies) {
    report.AddGauge(kDependencyReady, {{"dependency", name}}, dependency_is_ready ? 1 : 0);
  }
}

}  // namespace platform::service
