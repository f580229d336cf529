#include "platform/service/documentation.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "documentation_page.h"
#include "platform/security/random.h"

namespace platform::service {
namespace {

// The page loads what this service serves, and nothing else. Swagger UI shows images of its own
// style sheet as `data:`.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// Characters of a content's digest that tell one version from the next.
constexpr std::size_t kVersionLength = 16;

constexpr std::string_view kPage = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Microcart API</title>
<link rel="icon" type="image/png" href="{favicon}">
<link rel="stylesheet" href="{style}">
<script src="{bundle}" defer></script>
<script src="{initializer}" defer></script>
</head>
<body>
<noscript>This page needs JavaScript. The document that it shows: <a href="swagger.json">swagger.json</a></noscript>
<div id="swagger-ui"></div>
</body>
</html>
)";

}  // namespace
}  // namespace platform::service
