#pragma once

#include <boost/describe/class.hpp>
#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/schema/bounds.h"
#include "platform/schema/value_type.h"

namespace platform::schema {

inline constexpr std::int32_t kMaxPageLimit = 1000;

// Maximum number of rows of a page.
class PageLimit : public ValueType<PageLimit, std::int32_t, Range<1, kMaxPageLimit>> {
 public:
  static void Describe(boost::json::object& schema);
};

// The id after which a page begins.
class AfterId : public ValueType<AfterId, std::int32_t, AtLeast<0>> {
 public:
  static void Describe(boost::json::object& schema);
};

// The text of a search; '%' and '_' have no special meaning.
class SearchTerm : public ValueType<SearchTerm, std::string, MaxLength<256>> {
 public:
  static void Describe(boost::json::object& schema);

  // Returns a LIKE pattern that matches texts that contain the term.
  std::string ContainsPattern() const;
};

// The query string of a list.
struct PageQuery {
  std::optional<PageLimit> limit;
  std::optional<AfterId> after;

  std::int32_t Limit() const { return limit ? limit->value() : kMaxPageLimit; }
  std::int32_t After() const { return after ? after->value() : 0; }
};
BOOST_DESCRIBE_STRUCT(PageQuery, (), (limit, after))

// The query string of a list that can be searched.
struct ListQuery {
  std::optional<SearchTerm> search;
  std::optional<PageLimit> limit;
  std::optional<AfterId> after;

  bool IsSearch() const { return search && !search->value().empty(); }
  std::int32_t Limit() const { return limit ? limit->value() : kMaxPageLimit; }
  std::int32_t After() const { return after ? after->value() : 0; }
};
BOOST_DESCRIBE_STRUCT(ListQuery, (), (search, limit, after))

// A page of a list. `Next` is the type of the places between pages.
template <class T, class Next = std::int32_t>
struct Page {
  std::vector<T> items;
  std::optional<Next> next;  // The `after` of the next page; nothing on the last one.
  bool shows_next = true;    // False leaves `next` out of the answer.
};

// Makes a page from rows in the order of their ids. One row more than `limit` must have been
// requested, which shows whether there is a next page.
template <class T>
Page<T> MakePage(std::vector<T> rows, std::int32_t limit) {
  Page<T> page{.items = std::move(rows)};
  if (page.items.size() > static_cast<std::size_t>(limit)) {
    page.items.resize(static_cast<std::size_t>(limit));
    page.next = page.items.back().id.value();
  }
  return page;
}

}  // namespace platform::schema
