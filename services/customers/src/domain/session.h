#pragma once

#include <boost/describe/class.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <string>

#include "platform/schema/value_type.h"
#include "platform/schema/write.h"

namespace customers {

// The number of a session, unique among the sessions of its user. It is never used again.
class SessionId : public platform::schema::ValueType<SessionId, std::int32_t> {
 public:
  static void Describe(boost::json::object& schema);
};

// A login that has neither ended nor expired, as it is shown to its user.
struct Session {
  SessionId id;
  platform::schema::Timestamp created;
  platform::schema::Timestamp expires;
  std::string client;      // The address that the login came from.
  std::string user_agent;  // The client's User-Agent; empty if it sent none.
  bool is_current = false;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(Session, (), (id, created, expires, client, user_agent, is_current))

}  // namespace customers
