#include "platform/service/documentation.h"

#include <fmt/format.h>

#include <functional>
#include <stdexcept>
#include <utility>

#include "documentation_page.h"

namespace platform::service {
namespace {

// The page may load only files that this service serves. Swagger UI's style sheet contains images
// as `data:`.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr std::string_view kPageName = "index.html";
constexpr std::string_view kCompressedSuffix = ".gz";
// Number of characters of a content's digest that identify its version.
constexpr std::size_t kVersionLength = 16;

std::string_view FileName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Returns the embedded file of this name.
const EmbeddedFile& Embedded(std::string_view name) {
  for (const EmbeddedFile& file : kDocumentationPage) {
    if (FileName(file.name) == name) return file;
  }
  throw std::logic_error(fmt::format("{} is not embedded", name));
}

std::string_view ContentType(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  return "image/png";
}

// "swagger-ui.css" → "swagger-ui.0123456789abcdef.css".
std::string Versioned(std::string_view name, std::string_view version) {
  const std::size_t dot = name.rfind('.');
  return fmt::format("{}.{}{}", name.substr(0, dot), version, name.substr(dot));
}

// Returns the page with the `renamed` files.
std::string MakePage(const std::vector<std::pair<std::string_view, std::string>>& renamed) {
  std::string page(Embedded(kPageName).content);
  for (const auto& [name, versioned] : renamed) {
    const std::string quoted = fmt::format("\"{}\"", name);
    page.replace(page.find(quoted) + 1, name.size(), versioned);
  }
  return page;
}

std::string VersionOf(std::string_view text) {
  return fmt::format("{:016x}", std::hash<std::string_view>()(text));
}

std::vector<PageFile> MakePageFiles() {
  std::vector<PageFile> files;
  std::vector<std::pair<std::string_view, std::string>> renamed;
  for (const EmbeddedFile& file : kDocumentationPage) {
    const std::string_view name = FileName(file.name);
    if (name == kPageName || name.ends_with(kCompressedSuffix)) continue;
    const std::string version(file.sha256.substr(0, kVersionLength));
    renamed.emplace_back(name, Versioned(name, version));
    files.push_back({.path = std::string(kPagePath) + renamed.back().second,
                     .file = {.content = file.content,
                              .gzip = Embedded(std::string(name) + ".gz").content,
                              .content_type = ContentType(name),
                              .version = version,
                              .is_immutable = true}});
  }
  static const std::string page = MakePage(renamed);
  files.push_back({.path = std::string(kPagePath),
                   .file = {.content = page,
                            .content_type = ContentType(kPageName),
                            .version = VersionOf(page),
                            .policy = kPolicy}});
  return files;
}

}  // namespace

const std::vector<PageFile>& PageFiles() {
  static const std::vector<PageFile> files = MakePageFiles();
  return files;
}

http::Response AnswerToRoot() {
  return {.body = fmt::format(R"({{"data":{{"documentation":"{}","openapi":"{}"}}}})", kPagePath,
                              kDocumentPath)};
}

http::Response RedirectToPage() {
  return {.status = 308, .headers = {{"Location", std::string(kPagePath)}}};
}

StaticFile DocumentFile(std::string_view document) {
  return {.content = document, .content_type = "application/json", .version = VersionOf(document)};
}

}  // namespace platform::service
