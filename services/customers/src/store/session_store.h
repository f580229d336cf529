#pragma once

#include <boost/describe/class.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "services/customers/src/domain/session.h"
#include "services/customers/src/domain/user.h"
#include "services/customers/src/store/user_store.h"

namespace customers {

// A login whose password has been verified.
struct NewSession {
  Credentials checked;  // The credentials against which the password was verified.
  platform::schema::Timestamp expires;
  std::string client;
  std::string user_agent;
};

// The account that has logged in, and the values for its token.
struct SignedIn {
  UserId id;
  platform::schema::Timestamp created;
  Email email;
  std::string first_name;
  std::string last_name;
  bool is_admin = false;
  std::int32_t token_version = 0;
  SessionId session;  // 0 if the login has no session; see V009__keep_sessions.up.sql.
};
BOOST_DESCRIBE_STRUCT(SignedIn, (),
                      (id, created, email, first_name, last_name, is_admin, token_version, session))

// Sessions in PostgreSQL. Each call is one statement. It belongs to the event loop of its client.
class SessionStore {
 public:
  template <class T>
  using Reply = platform::Task<platform::Result<T>>;

  explicit SessionStore(platform::postgres::Client& client) : client_(client) {}

  // Begins a session. Returns nothing if the account no longer exists or its password has changed
  // since it was verified. When a user's 101st session begins, the oldest one ends.
  Reply<std::optional<SignedIn>> Begin(const NewSession& session);
  // Returns the user's sessions, the latest first. The session `current` is marked.
  Reply<std::vector<Session>> List(UserId user, std::optional<SessionId> current);
  // The actor must be an administrator or the user; otherwise both return kPermissionDenied. The
  // first returns kNotFound if the user has no such session. The second ends all sessions of the
  // user except `kept`, and revokes the tokens without a session, unless
  // `keep_tokens_without_session` is set.
  Reply<void> End(const Actor& actor, UserId user, SessionId session);
  Reply<void> EndOthers(const Actor& actor, UserId user, std::optional<SessionId> kept,
                        bool keep_tokens_without_session);
  // Ends the session of the actor's token. If the token has none, revokes all of the user's tokens
  // without a session. Does nothing if the token is no longer valid.
  Reply<void> LogOut(const Actor& actor);

  // Removes at most 500 expired sessions, or none if another replica is removing some. It waits for
  // no lock. Returns whether there may be more.
  Reply<bool> Sweep();

  // Returns all statements that the store executes.
  static std::vector<platform::postgres::StatementText> Statements();

 private:
  platform::postgres::Client& client_;
};

}  // namespace customers
