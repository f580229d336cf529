#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/http/openapi.h"
#include "platform/http/router.h"
#include "platform/service/static_file.h"

namespace platform::service {

inline constexpr std::string_view kDocumentPath = "/api/v1/docs/swagger.json";
inline constexpr std::string_view kPagePath = "/api/v1/docs/";

// A file of the documentation page: Swagger UI, which the build embeds. No file requests anything
// from another host.
struct PageFile {
  std::string path;
  StaticFile file;
};
// Returns the files, which are made at the first call and live as long as the program.
const std::vector<PageFile>& PageFiles();

// Returns the answer to `GET /`, which names the address of the documentation.
http::Response AnswerToRoot();
// Redirects from the address without the slash at its end.
http::Response RedirectToPage();
// Returns the OpenAPI document as a file.
StaticFile DocumentFile(std::string_view document);

// Adds the pages that document the routes added so far, for people and for programs.
template <class App>
void AddDocumentationRoutes(http::Router<App>& routes, const http::ApiDescription& description) {
  const auto add = [&](std::string_view path, const auto& answer) {
    routes.AddRaw(http::Method::kGet, path,
                  [answer](App&, const http::Request& request) -> Task<http::Response> {
                    co_return answer(request);
                  });
  };
  const auto document =
      std::make_shared<const std::string>(http::MakeOpenApi(routes.table(), description));
  add(kDocumentPath, [document, file = DocumentFile(*document)](const http::Request& request) {
    return Answer(file, request);
  });
  for (const PageFile& page : PageFiles()) {
    add(page.path, [&page](const http::Request& request) { return Answer(page.file, request); });
  }
  add(kPagePath.substr(0, kPagePath.size() - 1),
      [](const http::Request&) { return RedirectToPage(); });
  add("/", [](const http::Request&) { return AnswerToRoot(); });
}

}  // namespace platform::service
