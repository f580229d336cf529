#pragma once

#include <cstddef>
#include <vector>

namespace platform::postgres {

// The group of connections on which a statement is sent. Statements of one connection are answered
// in order, so a statement that may take long or wait for a lock must not precede faster ones.
enum class Lane {
  kKeyRead,  // Reads of few rows by key. They share syncs, and therefore transactions. Cannot
             // write.
  kWrite,    // Writes, and other statements that may wait for a lock.
  kSearch,   // Searches and long lists. Cannot write.
};
inline constexpr std::size_t kLaneCount = 3;

// The time at which the server plans a statement.
enum class Planning {
  kOnce,      // Once; the server may use one plan for all parameters.
  kEachCall,  // At each call, because the best plan depends on the parameters. Not prepared.
};

// A named SQL statement, which is prepared once per connection unless it is planned at each call.
// `Row` is an aggregate whose members, described by BOOST_DESCRIBE_STRUCT in their order, are the
// columns; or a value type (see Codec) for a single column; or void for no rows. Name and text must
// outlive every client, so declare a statement as a constexpr constant in a store. Each name stands
// for one text.
template <class Row, class... Params>
struct Statement {
  const char* name;
  Lane lane;
  const char* sql;
  Planning planning = Planning::kOnce;

  // Returns the same statement in another lane.
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
