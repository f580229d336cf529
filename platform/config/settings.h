#pragma once

#include <string>

#include "platform/config/environment.h"
#include "platform/grpc/tls.h"
#include "platform/log/log.h"
#include "platform/postgres/settings.h"

// The groups of variables that every service reads in the same way.
namespace platform::config {

struct LogSettings {
  log::Level level = log::Level::kInfo;
  log::Format format = log::Format::kJson;
};

// POSTGRES_*.
postgres::Settings ReadPostgresSettings(Environment& environment);

// TLS_*_FILE.
grpc::TlsFiles ReadTlsFiles(Environment& environment);

// LOG_LEVEL, LOG_FORMAT, and DEBUG, which lowers the default level.
LogSettings ReadLogSettings(Environment& environment);

}  // namespace platform::config
