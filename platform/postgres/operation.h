#pragma once

#include <algorithm>
#include <array>
#include <boost/describe/members.hpp>
#include <boost/mp11/list.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "platform/postgres/client_metrics.h"
#include "platform/postgres/query_error.h"
#include "platform/postgres/statement.h"
#include "platform/postgres/value.h"

struct pg_result;

// The link between the typed calls of client.h and libpq. Not for use elsewhere.
namespace platform::postgres::internal {

inline constexpr std::size_t kMaxParameters = 16;

// A call's parameters, encoded one after the other. A length of -1 is a NULL.
struct Parameters {
  std::string bytes;
  std::array<int, kMaxParameters> lengths;
  std::size_t count = 0;

  template <class Param, class Arg>
  void Add(const Arg& arg) {
    using Value = Nullable<Param>::Value;
    if constexpr (std::is_same_v<Arg, std::nullopt_t>) {
      static_assert(Nullable<Param>::kNullable, "this parameter cannot be NULL");
      lengths[count++] = -1;
    } else if constexpr (Nullable<Arg>::kNullable) {
      static_assert(Nullable<Param>::kNullable, "this parameter cannot be NULL");
      if (arg) {
        AddValue<Value>(*arg);
      } else {
        lengths[count++] = -1;
      }
    } else {
      AddValue<Value>(arg);
    }
  }

 private:
  template <class Value, class Arg>
  void AddValue(const Arg& arg) {
    const std::size_t before = bytes.size();
    Codec<Value>::Encode(arg, bytes);
    lengths[count++] = static_cast<int>(bytes.size() - before);
  }
};

// A statement's answer, or the part of it that belongs to one call. Copies share the answer.
class Rows {
 public:
  Rows() = default;
  explicit Rows(pg_result* result);  // Takes ownership.

  // Returns `count` rows from the row `first` on, without their first `skipped` columns.
  Rows Part(std::size_t first, std::size_t count, std::size_t skipped) const;

  std::size_t size() const { return size_; }
  std::size_t affected() const;
  std::size_t columns() const;
  // Throws std::runtime_error unless the columns are `count` in number.
  void ExpectColumns(std::size_t count) const;
  unsigned type(std::size_t column) const;
  // Returns nothing for a NULL.
  std::optional<std::string_view> value(std::size_t row, std::size_t column) const;
  [[noreturn]] void ThrowUnexpectedType(std::size_t column) const;
  [[noreturn]] void ThrowUnexpectedNull(std::size_t column) const;

 private:
  const char* name(std::size_t column) const;

  std::shared_ptr<pg_result> result_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::size_t skipped_ = 0;
};

inline constexpr std::size_t kMaxKeys = 3;

// The keys of a call. Those that the statement does not have are 0.
using Keys = std::array<std::int32_t, kMaxKeys>;

// A coroutine that waits for one or several operations.
struct Caller {
  std::size_t waiting;  // Operations that have not ended.
  std::move_only_function<void()> resume{};
};

// One call, from its start until its caller resumes. It lives in the caller's coroutine frame.
struct Operation {
  const char* name;
  const char* sql;
  Lane lane;
  Planning planning;
  std::span<const unsigned> types;  // Types of the parameters, or of the arrays of keys.
  Parameters parameters;            // Empty for a read by key, which has `keys` instead.
  std::size_t key_count = 0;        // 0 if it is not a read by key.
  Keys keys{};
  std::expected<Rows, QueryError> result{};
  Caller* caller = nullptr;
  // The following are set by Connection::Start.
  ClientMetrics::Statement* metrics = nullptr;
  std::chrono::steady_clock::time_point started{};
  std::chrono::steady_clock::time_point deadline{};
  bool is_alone = false;  // Sent again, by itself and as plain text.
};

template <class... Params>
inline constexpr std::array<unsigned, sizeof...(Params)> kTypes{
    Codec<typename Nullable<Params>::Value>::kOid...};

template <class... Keys>
inline constexpr std::array<unsigned, sizeof...(Keys)> kKeyTypes{
    (static_cast<void>(sizeof(Keys)), Codec<std::vector<std::int32_t>>::kOid)...};

inline std::int32_t ToInt32(std::int32_t key) { return key; }
template <DomainValue Key>
std::int32_t ToInt32(const Key& key) {
  return key.value();
}

template <class Row, class... Params, class... Args>
Operation MakeOperation(const Statement<Row, Params...>& statement, const Args&... args) {
  static_assert(sizeof...(Params) == sizeof...(Args), "wrong number of parameters");
  static_assert(sizeof...(Params) <= kMaxParameters);
  Operation operation{.name = statement.name,
                      .sql = statement.sql,
                      .lane = statement.lane,
                      .planning = statement.planning,
                      .types = kTypes<Params...>,
                      .parameters = {}};
  (operation.parameters.template Add<Params>(args), ...);
  return operation;
}

template <class Key>
concept Int32Key = Codec<Key>::kOid == Codec<std::int32_t>::kOid;

template <class Row, Int32Key... KeyTypes, class... Args>
Operation MakeOperation(const KeyedStatement<Row, KeyTypes...>& statement, const Args&... args) {
  static_assert(sizeof...(KeyTypes) == sizeof...(Args), "wrong number of keys");
  static_assert(sizeof...(KeyTypes) > 0 && sizeof...(KeyTypes) <= kMaxKeys);
  return {.name = statement.name,
          .sql = statement.sql,
          .lane = Lane::kKeyRead,
          .planning = statement.planning,
          .types = kKeyTypes<KeyTypes...>,
          .parameters = {},
          .key_count = sizeof...(KeyTypes),
          .keys = {ToInt32(args)...}};
}

// A row that is one value, not a struct of columns.
template <class Row>
concept SingleValue = requires { Codec<typename Nullable<Row>::Value>::kOid; };

template <class T>
void CheckColumn(const Rows& rows, std::size_t column) {
  if (!Accepts<typename Nullable<T>::Value>(rows.type(column))) {
    rows.ThrowUnexpectedType(column);
  }
}

template <class T>
T DecodeColumn(const Rows& rows, std::size_t row, std::size_t column) {
  const auto bytes = rows.value(row, column);
  if (bytes) {
    return Codec<typename Nullable<T>::Value>::Decode(*bytes);
  }
  if constexpr (Nullable<T>::kNullable) {
    return std::nullopt;
  } else {
    rows.ThrowUnexpectedNull(column);
  }
}

template <class Pointer>
struct MemberType;
template <class Row, class T>
struct MemberType<T Row::*> {
  using Type = T;
};

// Decodes the first `limit` rows, whose columns are `Columns...`.
template <class Row, class... Columns>
std::vector<Row> DecodeRows(const Rows& rows, std::size_t limit) {
  rows.ExpectColumns(sizeof...(Columns));
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    (CheckColumn<Columns>(rows, I), ...);
    std::vector<Row> decoded;
    const std::size_t size = std::min(limit, rows.size());
    decoded.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
      decoded.push_back(Row{DecodeColumn<Columns>(rows, i, I)...});
    }
    return decoded;
  }(std::index_sequence_for<Columns...>{});
}

// Does the same for a Row as described in statement.h. Throws std::runtime_error if the answer does
// not have its columns.
template <class Row>
std::vector<Row> Decode(const Rows& rows, std::size_t limit) {
  if constexpr (SingleValue<Row>) {
    return DecodeRows<Row, Row>(rows, limit);
  } else {
    using Members = boost::describe::describe_members<Row, boost::describe::mod_public>;
    return []<class... Member>(boost::mp11::mp_list<Member...>, const Rows& all, std::size_t most) {
      return DecodeRows<Row,
                        typename MemberType<std::remove_cv_t<decltype(Member::pointer)>>::Type...>(
          all, most);
    }(boost::mp11::mp_rename<Members, boost::mp11::mp_list>{}, rows, limit);
  }
}

}  // namespace platform::postgres::internal
