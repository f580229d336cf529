#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "platform/schema/value_type.h"

namespace customers {

// An email address that can be registered, in the spelling of its owner. The store decides which
// spellings are of one address. It has at most 254 bytes, and the reference accepts it. It has a
// dot-atom or quoted local part, then `localhost`, a bracketed IPv4 address, or a domain name of
// two or more labels. The last label may have digits and hyphens too. A domain name in Unicode is
// checked in its punycode form (UTS 46, transitional, which is closest to the reference's IDNA
// 2003). The local part may hold characters beyond ASCII (RFC 6531), but nothing invisible: no
// controls, no spaces beyond ASCII, no zero-width characters, none that change the direction of the
// text, and none that Unicode does not assign.
class Email : public platform::schema::ValueType<Email, std::string> {
 public:
  static std::optional<std::string_view> Check(const std::string& value);
  static void Describe(boost::json::object& schema);
};

}  // namespace customers
