#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "platform/schema/paging.h"
#include "services/customers/src/domain/user.h"
#include "services/customers/src/store/authorization.h"

namespace customers {

// The data against which a login is checked.
struct Credentials {
  UserId id;
  std::string password_hash;
  std::int32_t token_version = 0;  // Required in a token; a password change increments it.
};
BOOST_DESCRIBE_STRUCT(Credentials, (), (id, password_hash, token_version))

// The user, the version and the session (0 for none) that a token names.
using TokenSubject = std::tuple<UserId, std::int32_t, std::int32_t>;

// The accounts in PostgreSQL. Each call is one statement, and one more after a failed change, to
// find the reason. Returns kNotFound if the user does not exist, and kPermissionDenied if the actor
// of a change has lost the right to make it. It belongs to the event loop of its client.
class UserStore {
 public:
  template <class T>
  using Reply = platform::Task<platform::Result<T>>;

  explicit UserStore(platform::postgres::Client& client) : client_(client) {}

  Reply<User> Find(UserId id);
  // Returns the user of a token, if the token is not revoked. A token with a session is valid while
  // the session exists. One without (0) is valid while it has the account's token_version.
  Reply<std::optional<User>> FindSignedIn(UserId id, std::int32_t token_version,
                                          std::int32_t session);
  // Does the same for each of the tokens, in their order.
  platform::Task<std::vector<platform::Result<std::optional<User>>>> FindSignedIn(
      std::vector<TokenSubject> tokens);
  // Both return nothing if there is no such account. Any spelling of the account's email finds it:
  // canonical_email() of the migrations decides. `email` may be any text.
  Reply<std::optional<Credentials>> FindCredentials(UserId id);
  Reply<std::optional<Credentials>> FindCredentialsByEmail(const std::string& email);
  // Returns whether any account has a "$5$" hash, which is the form of the reference.
  Reply<bool> HasReferenceHashes();
  // Returns a page of users in the order of their ids.
  Reply<platform::schema::Page<User>> List(platform::schema::ListQuery query);

  // The actor must be an administrator, or nobody. Returns kInvalidArgument for `email` if it is
  // taken, in any spelling.
  Reply<User> Create(const Actor& actor, const NewUser& user, const std::string& password_hash);
  // The actor of a change of `is_admin` must be an administrator, and of other changes an
  // administrator or the user. Returns the same errors as Create(), and kConflict if it would
  // demote the last administrator.
  Reply<User> Update(const Actor& actor, UserId id, const UserChange& change);
  // Both change the password, end all sessions and revoke all tokens. The actor of the first must
  // be an administrator or the user. The second returns false and changes nothing if another
  // request has changed the password since it was checked.
  Reply<void> SetPassword(const Actor& actor, UserId id, const std::string& new_hash);
  Reply<bool> ChangePassword(const Credentials& checked, const std::string& new_hash);
  // Sets another hash of the same password. Does nothing if the hash is no longer `old_hash`.
  Reply<void> ReplaceHash(UserId id, const std::string& old_hash, const std::string& new_hash);
  // The actor must be an administrator or the user. Returns kConflict if the user is the last
  // administrator.
  Reply<void> Delete(const Actor& actor, UserId id);

  // Returns all statements that the store executes.
  static std::vector<platform::postgres::StatementText> Statements();

 private:
  platform::postgres::Client& client_;
};

}  // namespace customers
