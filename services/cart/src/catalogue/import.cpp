#include "services/cart/src/catalogue/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <boost/json/value.hpp>
#include <compare>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "platform/schema/field.h"
#include "platform/schema/parse.h"
#include "platform/schema/text.h"
#include "services/cart/src/catalogue/csv_reader.h"
#include "services/cart/src/domain/product.h"

namespace cart {
namespace {

using platform::migrations::Connection;
using platform::migrations::SqlError;

using Progress = std::function<void(std::string_view)>;

constexpr std::size_t kMaxListedLines = 100;
constexpr std::size_t kProductsPerStatement = 10'000;
constexpr std::size_t kCopyBytes = 65536;

// A value for the database, nothing for NULL, or a message if the field is bad.
using Value = std::expected<std::optional<std::string>, std::string_view>;

template <class T>
Value Text(const std::string& field) {
  auto parsed = T::Parse(field);
  if (!parsed) return std::unexpected(parsed.error());
  return parsed->value();
}

Value Image(const std::string& field) {
  if (field.empty()) return std::nullopt;
  return Text<ImageUrl>(field);
}

Value Count(const std::string& field) {
  if (field.empty()) return std::nullopt;
  const auto stock = platform::schema::CheckInteger<Stock>(
      platform::schema::ReadInteger(boost::json::value(field)));
  if (!stock) return std::unexpected(stock.error());
  return std::to_string(stock->value());
}

Value Flag(const std::string& field) {
  const auto flag = platform::schema::ParseBoolean(boost::json::value(field));
  if (!flag) return std::unexpected(flag.error());
  return *flag ? "true" : "false";
}

struct Column {
  std::string_view name;
  std::string_view type;
  std::string_view stored;  // The column of the table products as it is shown.
  Value (*read)(const std::string& field);
};

constexpr std::array kColumns{
    Column{"sku", "text COLLATE \"C\"", "products.sku", Text<Sku>},
    Column{"name", "text", "products.name", Text<ProductName>},
    Column{"description", "text", "products.description", Text<ProductDescription>},
    Column{"price", "numeric", "round(products.price, 2)", Text<Money>},
    Column{"image_url", "text", "products.image_url", Image},
    Column{"stock", "integer", "products.stock", Count},
    Column{"is_active", "boolean", "products.is_active", Flag},
};

struct BadLine {
  std::size_t line = 0;
  std::string reason;

  auto operator<=>(const BadLine&) const = default;
};

// The first bad lines, and the number of all.
struct BadLines {
  std::vector<BadLine> listed;
  std::size_t count = 0;

  void Add(std::size_t line, std::string reason) {
    if (listed.size() < kMaxListedLines) listed.push_back({line, std::move(reason)});
    ++count;
  }
};

std::string Describe(BadLines bad) {
  std::ranges::sort(bad.listed);
  std::string text = "nothing was imported, because the file has bad lines:";
  const std::size_t shown = std::min(bad.listed.size(), kMaxListedLines);
  for (const BadLine& each : std::span(bad.listed).first(shown)) {
    text += fmt::format("\n  line {}: {}", each.line, each.reason);
  }
  if (bad.count > shown) text += fmt::format("\n  and {} more", bad.count - shown);
  return text;
}

std::string Describe(const SqlError& error) {
  constexpr std::string_view kUniqueViolation = "23505";
  if (error.sqlstate == kUniqueViolation) {
    return "nothing was imported, because another session has used one of the SKUs meanwhile. Try "
           "again.";
  }
  return fmt::format("nothing was imported: {}{}{}", error.message,
                     error.detail.empty() ? "" : "\ndetail: ", error.detail);
}

// Returns the columns that the first line names, or the reason why it is bad.
std::expected<std::vector<const Column*>, std::string> ReadHeader(CsvReader& csv) {
  std::vector<std::string> names;
  if (!csv.Next(names)) {
    return std::unexpected(csv.failed() ? "The file cannot be read." : "The file is empty.");
  }
  if (csv.problem()) return std::unexpected(std::string(*csv.problem()));
  std::vector<const Column*> columns;
  for (const std::string& name : names) {
    const auto* const column = std::ranges::find(kColumns, name, &Column::name);
    if (column == kColumns.end()) {
      return std::unexpected(platform::schema::IsText(name)
                                 ? fmt::format("There is no column \"{}\".", name)
                                 : "A column's name is no text.");
    }
    if (std::ranges::find(columns, column) != columns.end()) {
      return std::unexpected(fmt::format("The column \"{}\" is there twice.", name));
    }
    columns.push_back(column);
  }
  if (std::ranges::find(columns, "sku", &Column::name) == columns.end()) {
    return std::unexpected("The column \"sku\" is missing.");
  }
  return columns;
}

// Appends a field in the text format of COPY.
void AppendField(const std::optional<std::string>& value, std::string& row) {
  row += '\t';
  if (!value) {
    row += "\\N";
    return;
  }
  for (const char character : *value) {
    switch (character) {
      case '\\':
        row += "\\\\";
        break;
      case '\t':
        row += "\\t";
        break;
      case '\n':
        row += "\\n";
        break;
      case '\r':
        row += "\\r";
        break;
      default:
        row += character;
    }
  }
}

class Import {
 public:
  Import(Connection& connection, const Progress& progress, std::vector<const Column*> columns)
      : connection_(connection), progress_(progress), columns_(std::move(columns)) {}

  std::expected<ImportResult, std::string> Run(CsvReader& csv) {
    const auto result = ReadAndWrite(csv);
    if (!result && !is_outcome_known_) {
      return std::unexpected(
          fmt::format("the products may be imported or not: {}. Import the file again: what is "
                      "imported already stays as it is.",
                      result.error().message));
    }
    if (!result) return std::unexpected(Describe(result.error()));
    if (bad_.count > 0) return std::unexpected(Describe(std::move(bad_)));
    return *result;
  }

 private:
  using Done = std::expected<void, SqlError>;

  // Stops before it writes if there are bad lines.
  std::expected<ImportResult, SqlError> ReadAndWrite(CsvReader& csv) {
    if (auto begun = connection_.Run(
            fmt::format("BEGIN; SET LOCAL work_mem = '64MB'; SET LOCAL microcart.is_import = 'on'; "
                        "CREATE TEMPORARY TABLE lines (line bigint, {}) ON COMMIT DROP",
                        Joined("{0} {1}")));
        !begun) {
      return std::unexpected(begun.error());
    }
    if (auto copied = CopyLines(csv); !copied) return std::unexpected(copied.error());
    if (csv.failed()) bad_.Add(csv.line(), "What follows cannot be read.");
    progress_("looking for changes");
    if (auto checked = CheckLines(); !checked) return std::unexpected(checked.error());
    if (bad_.count > 0) return ImportResult{};

    auto compared = connection_.Run(fmt::format(
        R"(
CREATE TEMPORARY TABLE updates ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY products.id) AS number, products.id, lines.*
FROM lines JOIN products ON lower(products.sku) = lower(lines.sku)
WHERE ({}) IS DISTINCT FROM ({});
CREATE TEMPORARY TABLE inserts ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY line) AS number, lines.*
FROM lines
WHERE NOT EXISTS (SELECT FROM products WHERE lower(products.sku) = lower(lines.sku));
CREATE INDEX ON updates (number);
CREATE INDEX ON inserts (number);
ANALYZE updates, inserts;
SELECT (SELECT count(*) FROM updates), (SELECT count(*) FROM inserts);)",
        Joined("{2}"), Joined("lines.{0}")));
    if (!compared) return std::unexpected(compared.error());
    const std::size_t updated = std::stoul(compared->rows.front()[0]);
    const std::size_t created = std::stoul(compared->rows.front()[1]);

    // Rows are locked in the order of their ids, like everywhere.
    const std::string update = fmt::format(
        R"(
WITH locked AS MATERIALIZED (
  SELECT products.id
  FROM products JOIN updates ON updates.id = products.id
  WHERE updates.number > {{0}} AND updates.number <= {{1}}
  ORDER BY products.id
  FOR NO KEY UPDATE OF products
)
UPDATE products
SET {}
FROM updates JOIN locked ON locked.id = updates.id
WHERE updates.number > {{0}} AND updates.number <= {{1}} AND products.id = updates.id)",
        Joined("{0} = updates.{0}"));
    const std::string insert = fmt::format(
        R"(
INSERT INTO products ({0}{1})
SELECT {0}{2}
FROM inserts
WHERE number > {{0}} AND number <= {{1}}
ORDER BY number)",
        Joined("{0}"), Has("description") ? "" : ", description", Has("description") ? "" : ", ''");
    if (auto written = WriteInParts("updated", update, updated); !written) {
      return std::unexpected(written.error());
    }
    if (auto written = WriteInParts("created", insert, created); !written) {
      return std::unexpected(written.error());
    }
    if (updated + created > 0) {
      progress_("updating the zones of searches");
      if (auto finished = connection_.Run(R"(
SELECT finish_import(ARRAY(
  SELECT id FROM updates
  UNION ALL
  SELECT products.id FROM inserts JOIN products ON lower(products.sku) = lower(inserts.sku)))
)");
          !finished) {
        return std::unexpected(finished.error());
      }
    }
    if (auto committed = connection_.Run("COMMIT"); !committed) {
      is_outcome_known_ = !committed.error().sqlstate.empty();
      return std::unexpected(committed.error());
    }
    return ImportResult{
        .created = created, .updated = updated, .unchanged = good_ - created - updated};
  }

  // Copies all good lines into the temporary table.
  Done CopyLines(CsvReader& csv) {
    std::vector<std::string> fields;
    std::string rows;
    auto copied = connection_.CopyIn(fmt::format("COPY lines (line, {}) FROM STDIN", Joined("{0}")),
                                     [&] -> std::optional<std::string_view> {
                                       rows.clear();
                                       while (rows.size() < kCopyBytes && csv.Next(fields)) {
                                         if (csv.problem()) {
                                           bad_.Add(csv.line(), std::string(*csv.problem()));
                                         } else {
                                           AppendLine(csv.line(), fields, rows);
                                         }
                                       }
                                       progress_(fmt::format("{} products read", good_));
                                       if (rows.empty()) return std::nullopt;
                                       return rows;
                                     });
    if (!copied) return copied;
    if (auto analyzed = connection_.Run("ANALYZE lines"); !analyzed) {
      return std::unexpected(analyzed.error());
    }
    return {};
  }

  // Appends the row of a good line, or notes why the line is bad.
  void AppendLine(std::size_t line, const std::vector<std::string>& fields, std::string& rows) {
    if (fields.size() != columns_.size()) {
      bad_.Add(line, fmt::format("It has {} fields, but the first line has {}.", fields.size(),
                                 columns_.size()));
      return;
    }
    std::string row = std::to_string(line);
    std::string reasons;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const Value value = platform::schema::IsText(fields[i])
                              ? columns_[i]->read(fields[i])
                              : std::unexpected("Not a valid string.");
      if (value) {
        AppendField(*value, row);
      } else {
        reasons +=
            fmt::format("{}{}: {}", reasons.empty() ? "" : " ", columns_[i]->name, value.error());
      }
    }
    if (!reasons.empty()) {
      bad_.Add(line, std::move(reasons));
      return;
    }
    ++good_;
    rows += row += '\n';
  }

  // Finds the bad lines that only the database can find.
  Done CheckLines() {
    auto done = AddBadLines(R"(
SELECT line, format('sku: The same as in line %s.', first), count(*) OVER ()
FROM (SELECT line, min(line) OVER (PARTITION BY lower(sku)) AS first FROM lines) AS each
WHERE line > first)");
    for (const std::string_view required : {"name", "price"}) {
      if (!done || Has(required)) continue;
      done = AddBadLines(fmt::format(R"(
SELECT line, '{}: Missing data for required field.', count(*) OVER ()
FROM lines
WHERE NOT EXISTS (SELECT FROM products WHERE lower(products.sku) = lower(lines.sku)))",
                                     required));
    }
    return done;
  }

  Done AddBadLines(const std::string& query) {
    const auto found =
        connection_.Run(fmt::format("{} ORDER BY line LIMIT {}", query, kMaxListedLines));
    if (!found) return std::unexpected(found.error());
    for (const auto& row : found->rows) bad_.listed.push_back({std::stoul(row[0]), row[1]});
    if (!found->rows.empty()) bad_.count += std::stoul(found->rows.front()[2]);
    return {};
  }

  Done WriteInParts(std::string_view what, const std::string& statement, std::size_t count) {
    for (std::size_t done = 0; done < count; done += kProductsPerStatement) {
      progress_(fmt::format("{} of {} products {}", done, count, what));
      const std::size_t end = done + kProductsPerStatement;
      if (auto written = connection_.Run(fmt::format(fmt::runtime(statement), done, end));
          !written) {
        return std::unexpected(written.error());
      }
    }
    return {};
  }

  bool Has(std::string_view name) const {
    return std::ranges::find(columns_, name, &Column::name) != columns_.end();
  }

  // Returns a list of the columns, in which {0} is the name, {1} the type and {2} the stored value.
  std::string Joined(std::string_view each) const {
    std::vector<std::string> texts;
    for (const Column* column : columns_) {
      texts.push_back(fmt::format(fmt::runtime(each), column->name, column->type, column->stored));
    }
    return fmt::format("{}", fmt::join(texts, ", "));
  }

  Connection& connection_;
  const Progress& progress_;
  std::vector<const Column*> columns_;
  BadLines bad_;
  std::size_t good_ = 0;
  bool is_outcome_known_ = true;
};

}  // namespace

std::expected<ImportResult, std::string> ImportProducts(Connection& connection, std::istream& csv,
                                                        const Progress& progress) {
  CsvReader reader(csv);
  auto columns = ReadHeader(reader);
  if (!columns) {
    BadLines bad;
    bad.Add(std::max<std::size_t>(reader.line(), 1), columns.error());
    return std::unexpected(Describe(std::move(bad)));
  }
  return Import(connection, progress, *std::move(columns)).Run(reader);
}

}  // namespace cart
