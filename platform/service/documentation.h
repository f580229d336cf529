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

// The files of the documentation page: Swagger UI, as the build embedded it. Nothing in it asks
// another host for anything.
struct PageFile {
  std::string path;  // Its address.
  StaticFile file;
};
// The same for all, made at the first call; lives as long as the program.
const std::vector<PageFile>& PageFiles();

// What `GET /` answers: where the documentation is.
http::Response AnswerToRoot();
// Leads from the address without the slash at its end.
http::Response RedirectToPage();
// The OpenAPI document as a file.
StaticFile DocumentFile(std::string_view document);

// Adds the pages that tell people and programs about the routes added so far.
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
