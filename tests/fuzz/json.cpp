// A request's body → each struct into which a body is parsed.

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <string>

#include "platform/schema/parse.h"
#include "services/cart/src/domain/cart.h"
#include "services/customers/src/api/inputs.h"
#include "services/customers/src/domain/user.h"
#include "tests/fuzz/check.h"

namespace {

namespace schema = platform::schema;

// Returns the body that the parsed value stands for.
template <class T>
boost::json::value ToJson(const T& value) {
  if constexpr (schema::IsObject<T>) {
    boost::json::object object;
    schema::ForEachMember<T>([&](const char* name, auto member) {
      const auto& field = value.*member;
      if constexpr (schema::kIsOptional<std::decay_t<decltype(field)>>) {
        if (field) object[name] = ToJson(*field);
      } else {
        object[name] = ToJson(field);
      }
    });
    return object;
  } else if constexpr (schema::IsValueType<T>) {
    return boost::json::value_from(value.value());
  } else {
    return boost::json::value_from(value);
  }
}

template <class T>
void Read(std::string_view body) {
  const auto parsed = schema::Parse<T>(body, schema::Source::kBody);
  if (parsed) {
    const boost::json::value json = ToJson(*parsed);
    const auto again = schema::Parse<T>(boost::json::serialize(json), schema::Source::kBody);
    fuzz::Check(again.has_value(), "what has been read can be written and read again");
    fuzz::Check(ToJson(*again) == json, "and is the same then");
    return;
  }
  const platform::Error& error = parsed.error();
  fuzz::Check(error.code == platform::ErrorCode::kInvalidArgument ||
                  error.code == platform::ErrorCode::kUnprocessable,
              "a body is refused as the client's mistake");
  fuzz::Check(!error.fields.empty(), "a refusal names fields");
  for (const auto& [name, messages] : error.fields) {
    fuzz::Check(!messages.empty(), "each field has a message");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body = fuzz::Text(data, size);
  Read<customers::LoginRequest>(body);
  Read<customers::NewUser>(body);
  Read<customers::UserChange>(body);
  Read<customers::PasswordChange>(body);
  Read<customers::Recovery>(body);
  Read<cart::NewItem>(body);
  Read<cart::ItemChange>(body);
  return 0;
}
