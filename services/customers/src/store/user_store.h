#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "platform/schema/paging.h"
#include "services/customers/src/domain/user.h"

namespace customers {

// What a login is checked against.
struct Credentials {
  UserId id;
  std::string password_hash;
  std::int32_t token_version = 0;  // What a token must carry; a password change raises it.
};
BOOST_DESCRIBE_STRUCT(Credentials, (), (id, password_hash, token_version))

// What a token is checked against, and answered with.
struct Account {
  UserId id;
  Email email;
  bool is_admin = false;
  std::int32_t token_version = 0;
};
BOOST_DESCRIBE_STRUCT(Account, (), (id, email, is_admin, token_version))

// The accounts in PostgreSQL: each call is one statement, and one more where a change has failed,
// to tell why. kNotFound where the user is gone. For the event loop of its client.
class UserStore {
 public:
  template <class T>
  using Reply = platform::Task<platform::Result<T>>;

  explicit UserStore(platform::postgres::Client& client) : client_(client) {}

  Reply<User> Find(UserId id);
  // The user, unless deleted or given a new password since a token of `token_version` was signed.
  Reply<std::optional<User>> FindSignedIn(UserId id, std::int32_t token_version);
  // Those of the ids that there are, each once, in any order.
  Reply<std::vector<Account>> FindAccounts(const std::vector<std::int32_t>& ids);
  // Both return nothing if there is no such account. The case of `email` does not matter.
  Reply<std::optional<Credentials>> FindCredentials(UserId id);
  Reply<std::optional<Credentials>> FindCredentialsByEmail(const Email& email);
  // Whether there are accounts with a "$5$" hash, which the reference has made.
  Reply<bool> HasReferenceHashes();
  // By id.
  Reply<platform::schema::Page<User>> List(platform::schema::ListQuery query);

  // kInvalidArgument for `email` where it is taken, whatever its case.
  Reply<User> Create(const NewUser& user, const std::string& password_hash);
  // Errors as for Create.
  Reply<User> Update(UserId id, const UserChange& change);
  // Also revokes all tokens. Where `token_version` is given and no longer the account's, so that
  // another has changed the password meanwhile, nothing is done, and false the answer.
  Reply<bool> ChangePassword(UserId id, std::optional<std::int32_t> token_version,
                             const std::string& new_hash);
  // Another hash of the same password; does nothing if the hash is no longer `old_hash`.
  Reply<void> ReplaceHash(UserId id, const std::string& old_hash, const std::string& new_hash);
  Reply<void> Delete(UserId id);

  // All that it executes.
  static std::vector<platform::postgres::StatementText> Statements();

 private:
  platform::postgres::Client& client_;
};

}  // namespace customers
