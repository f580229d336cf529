#include "platform/service/database.h"

#include <utility>

#include "platform/log/log.h"

namespace platform::service {

postgres::ClientOptions MakeClientOptions(std::string application_name) {
  postgres::ClientOptions options;
  options.application_name = std::move(application_name);
  options.on_connection = [](bool up, std::string_view message) {
    log::Write(up ? log::Level::kDebug : log::Level::kWarning, "database connection",
               {{"up", up}, {"detail", message}});
  };
  options.on_notice = [](std::string_view message) {
    log::Debug("database notice", {{"detail", message}});
  };
  return options;
}

}  // namespace platform::service
