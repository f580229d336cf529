#pragma once

#include "platform/http/router.h"
#include "services/customers/src/app.h"
#include "services/customers/src/domain/user.h"

// Who may call an endpoint of customers.
namespace customers {

inline constexpr const char* kNotPermitted = "You do not have permission to perform this action.";

// The caller and the account that the path names; the same row where he names himself.
struct Subject {
  User caller;
  User user;

  bool IsSelf() const { return caller.id == user.id; }
};

struct Admin {
  struct Grant {};
  static platform::http::AccessDescription Describe();
  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request) const;
};

// On `/users/{user_id}/…`.
struct SelfOrAdmin {
  using Grant = Subject;
  static platform::http::AccessDescription Describe();
  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request,
                                                     UserId id) const;
};

// As SelfOrAdmin; with LEGACY_API any signed-in user.
struct ProfileReader {
  using Grant = Subject;
  static platform::http::AccessDescription Describe() { return SelfOrAdmin::Describe(); }
  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request,
                                                     UserId id) const;
};

// The user of the request's token, by its Authorization header.
platform::Task<platform::Result<User>> Authenticate(App& app,
                                                    const platform::http::Request& request);

}  // namespace customers
