#pragma once

namespace platform::postgres {

// Which connection a statement travels on. Statements of one connection answer in order, so one
// that may take long or wait for a lock must not go before others that do not.
enum class Lane {
  kFast,  // Reads by key. The server may settle on one plan for all parameters.
  kSlow,  // Searches, writes, anything that can wait. Planned for the parameters of each call.
};

// One named SQL statement, prepared once per connection. `Row` is an aggregate,
// described (BOOST_DESCRIBE_STRUCT) in the order of its members, which are the columns; or a value
// type (see Codec) for a single column; void for none. Name and text must outlive every client:
// declare it as a constexpr constant in a store. One name stands for one text.
template <class Row, class... Params>
struct Statement {
  const char* name;
  const char* sql;
  Lane lane = Lane::kFast;
};

}  // namespace platform::postgres
