#pragma once

#include "platform/http/router.h"
#include "services/customers/src/app.h"
#include "services/customers/src/domain/user.h"

// The access rules of the customers service.
namespace customers {

// The caller and the account that the path names; equal if the path names the caller.
struct Subject {
  Caller caller;
  User user;

  bool IsSelf() const { return caller.user.id == user.id; }
};

// Permits every signed-in user.
struct SignedInUser {
  using Grant = Caller;
  static platform::http::AccessDescription Describe();
  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request) const;
};

struct Admin {
  struct Grant {};
  static platform::http::AccessDescription Describe();
  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request) const;
};

// For `/users/{user_id}/…`: permits the user and administrators.
struct SelfOrAdmin {
  using Grant = Subject;
  static platform::http::AccessDescription Describe();
  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request,
                                                     UserId id) const;
};

// Permits administrators, on `/users/{user_id}/…`.
struct AdminOfUser {
  using Grant = Subject;
  static platform::http::AccessDescription Describe() { return SelfOrAdmin::Describe(); }
  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request,
                                                     UserId id) const;
};

// Like SelfOrAdmin; with LEGACY_API it permits any signed-in user.
struct ProfileReader {
  using Grant = Subject;
  static platform::http::AccessDescription Describe() { return SelfOrAdmin::Describe(); }
  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request,
                                                     UserId id) const;
};

// Returns the user and the session of the token in the request's Authorization header.
platform::Task<platform::Result<Caller>> Authenticate(App& app,
                                                      const platform::http::Request& request);

}  // namespace customers
