#pragma once

namespace platform::postgres {

// Which connection a statement travels on. Statements of one connection answer in order, so one
// that may take long or wait for a lock must not go before others that do not.
enum class Lane {
  kFast,  // Reads by key. They share syncs, and so transactions: never anything that writes.
  kSlow,  // Searches, writes, anything that can wait.
};

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
  const char* sql;
  Lane lane = Lane::kFast;
  Planning planning = Planning::kOnce;
};

}  // namespace platform::postgres
