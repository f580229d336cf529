// A query string → search term and paging.

#include <string>

#include "platform/schema/paging.h"
#include "platform/schema/parse.h"
#include "tests/fuzz/check.h"

namespace {

using platform::schema::ListQuery;

// Returns the text that a LIKE pattern without wildcards matches.
std::string Unescape(std::string_view pattern) {
  std::string text;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
      fuzz::Check(i < pattern.size(), "a pattern does not end with its escape character");
    } else {
      fuzz::Check(pattern[i] != '%' && pattern[i] != '_', "a term has no wildcards");
    }
    text += pattern[i];
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::Text(data, size);
  const auto query = platform::schema::Parse<ListQuery>(text, platform::schema::Source::kQuery);
  if (!query) {
    const bool is_malformed = query.error().code == platform::ErrorCode::kInvalidArgument;
    fuzz::Check(is_malformed || query.error().code == platform::ErrorCode::kUnprocessable,
                "a query is refused as the client's mistake");
    fuzz::Check(!is_malformed || text.contains('%') || text.contains('#'),
                "only a broken escape or a fragment is malformed");
    for (const auto& [name, messages] : query.error().fields) {
      fuzz::Check(name == "search" || name == "limit" || name == "after",
                  "only known parameters are looked at");
      fuzz::Check(!messages.empty(), "each has a message");
    }
    return 0;
  }
  fuzz::Check(query->Limit() >= 1 && query->Limit() <= platform::schema::kMaxPageLimit,
              "a page has a bounded number of rows");
  fuzz::Check(query->After() >= 0, "a page begins after an id");
  if (query->search) {
    const std::string& term = query->search->value();
    const std::string pattern = query->search->ContainsPattern();
    fuzz::Check(pattern.size() >= 2 && pattern.front() == '%' && pattern.back() == '%',
                "a pattern matches anywhere");
    fuzz::Check(Unescape(std::string_view(pattern).substr(1, pattern.size() - 2)) == term,
                "a pattern is the term, literally");
    fuzz::Check(!term.contains('\0'), "PostgreSQL takes the term as text");
  }
  return 0;
}
