#pragma once

#include <cstddef>
#include <vector>

namespace platform::postgres {

// The group of connections on which a statement is sent. Statements of one connection are answered
// in order, so a statement that may take long or wait for a lock must not precede faster ones.
enum class Lane {
  kKeyRead,  // Reads of few rows by key, which must be planned with indexes. Cannot write.
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
  static constexpr std::size_t keys = 0;

  // Returns the same statement in another lane.
  constexpr Statement In(Lane other) const { return {name, other, sql, planning}; }
};

// A named read by key, in the lane of key reads. Calls that are made together are sent as one
// statement, so each key is an array in the SQL ($1, $2, …) that has an element for each call. No
// two calls of a statement have the same keys. The first columns of each row are the keys of the
// call that the row answers, and `Row` describes the columns after them. Rows of one call must
// stand together, so a statement that returns several for a call orders them by the keys first. The
// keys are integers, or domain types of integers:
//
//   constexpr KeyedStatement<Product, ProductId> kFind{
//       "find_product", "SELECT id, id, name FROM products WHERE id = ANY ($1)"};
template <class Row, class... Keys>
struct KeyedStatement {
  const char* name;
  const char* sql;
  static constexpr Planning planning = Planning::kOnce;
  static constexpr std::size_t keys = sizeof...(Keys);
};

// A statement without its types, for programs that measure the same SQL.
struct StatementText {
  const char* name;
  const char* sql;
  Planning planning;
  std::size_t keys;  // Number of keys; 0 if it is not a read by key.
};

template <class... Statements>
std::vector<StatementText> TextsOf(const Statements&... statements) {
  return {{statements.name, statements.sql, statements.planning, statements.keys}...};
}

}  // namespace platform::postgres
