#pragma once

#include <cstddef>
#include <vector>

namespace platform::postgres {

// Which connection a statement travels on. Statements of one connection answer in order, so one
// that may take long or wait for a lock must not go before others that do not.
enum class Lane {
  kKeyRead,  // Reads of few rows by key. They share syncs, and so transactions. Cannot write.
  kWrite,    // Writes, and whatever else may wait for a lock.
  kSearch,   // Searches and long lists. Cannot write.
};
inline constexpr std::size_t kLaneCount = 3;

// When the server plans a statement.
enum class Planning {
  kOnce,      // It may settle on one plan for all parameters.
  kEachCall,  // For these parameters: where the best plan depends on them. Not prepared.
};

// One named SQL statement, prepared once per connection unless it is planned at each call. `Row` is
// an aggregate, described (BOOST_DESCRIBE_STRUCT) in the order of its members, which are the
// columns; or a value type (see Codec) for a single column; void for none. Name and text must
// outlive every client: declare it as a constexpr constant in a store. One name stands for one
// text.
template <class Row, class... Params>
struct Statement {
  const char* name;
  Lane lane;
  const char* sql;
  Planning planning = Planning::kOnce;

  // The same statement in another lane.
  constexpr Statement In(Lane other) const { return {name, other, sql, planning}; }
};

// A statement without its types, for programs that measure the same SQL.
struct StatementText {
  const char* name;
  const char* sql;
  Planning planning;
};

template <class... Statements>
std::vector<StatementText> TextsOf(const Statements&... statements) {
  return {{statements.name, statements.sql, statements.planning}...};
}

}  // namespace platform::postgres
