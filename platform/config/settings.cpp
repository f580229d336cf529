#include "platform/config/settings.h"

namespace platform::config {
namespace {

log::Level LevelFromName(std::string_view name) {
  if (name == "trace") return log::Level::kTrace;
  if (name == "debug") return log::Level::kDebug;
  if (name == "warning") return log::Level::kWarning;
  if (name == "error") return log::Level::kError;
  return log::Level::kInfo;
}

}  // namespace

postgres::Settings ReadPostgresSettings(Environment& environment) {
  // In the order of the table: where, then who.
  postgres::Settings settings;
  settings.host = environment.String("POSTGRES_HOST", settings.host,
                                     "host or socket directory of the PostgreSQL server");
  settings.port = environment.Port("POSTGRES_PORT", settings.port, "port of the PostgreSQL server");
  settings.database = environment.RequiredString("POSTGRES_DB", "name of the service's database");
  settings.user = environment.RequiredString("POSTGRES_USER", "user of the service's database");
  settings.password = environment.SecretOrFile("POSTGRES_PASSWORD", 1, "password of that user");
  settings.sslmode = environment.OneOf(
      "POSTGRES_SSLMODE", {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
      settings.sslmode, "TLS towards the PostgreSQL server");
  return settings;
}

grpc::TlsFiles ReadTlsFiles(Environment& environment) {
  grpc::TlsFiles files;
  files.ca = environment.ReadableFile("TLS_CA_FILE", "PEM file of the CA of all gRPC peers");
  files.certificate =
      environment.ReadableFile("TLS_CERT_FILE", "PEM file of this service's certificate");
  files.key = environment.ReadableFile("TLS_KEY_FILE", "PEM file of the certificate's key");
  return files;
}

LogSettings ReadLogSettings(Environment& environment) {
  const bool debug = environment.Boolean("DEBUG", false, "log at level debug by default");
  const std::string level =
      environment.OneOf("LOG_LEVEL", {"trace", "debug", "info", "warning", "error"},
                        debug ? "debug" : "info", "least severe level that is logged");
  const std::string format =
      environment.OneOf("LOG_FORMAT", {"json", "text"}, "json", "form of the log lines");
  return {.level = LevelFromName(level),
          .format = format == "text" ? log::Format::kText : log::Format::kJson};
}

}  // namespace platform::config
