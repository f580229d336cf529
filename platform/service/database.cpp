#include "platform/service/database.h"

#include <mutex>
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
  options.on_superuser = [] {
    static std::once_flag once;
    std::call_once(once, [] {
      log::Warning(
          "the database role is a superuser: serve with a role that has only the rights "
          "that `migrate --serving-role` grants");
    });
  };
  options.on_notice = [](std::string_view message) {
    log::Debug("database notice", {{"detail", message}});
  };
  return options;
}

}  // namespace platform::service
