#pragma once

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/http/message.h"
#include "platform/http/route_table.h"
#include "services/customers/client/caller.h"
#include "services/customers/client/token_validator.h"

// Access rules (see platform/http/router.h) for a service whose requests carry tokens of the
// customers service. `App` is the service's own; its member `validator` is a TokenValidator.
namespace customers::client {

// Returns the user of the request's token, and notes them for the access log. Errors: as
// TokenValidator::Validate.
platform::Task<platform::Result<Caller>> Authenticate(TokenValidator& validator,
                                                      const platform::http::Request& request);

// The descriptions of the rules below, for the documentation.
platform::http::AccessDescription DescribeAccess();

// Permits administrators.
template <class App>
struct Admin {
  using Grant = Caller;

  static platform::http::AccessDescription Describe() { return DescribeAccess(); }

  platform::Task<platform::Result<Caller>> operator()(
      App& app, const platform::http::Request& request) const {
    ASSIGN_OR_CO_RETURN(Caller caller, co_await Authenticate(app.validator, request));
    if (!caller.is_admin) co_return std::unexpected(platform::Error::PermissionDenied());
    co_return caller;
  }
};

// Permits administrators, if the object that the path names exists.
template <class App, class Id>
struct AdminOf {
  using Grant = Caller;

  // Returns an error, such as kNotFound, if the object does not exist.
  platform::Task<platform::Result<void>> (*find)(App& app, Id id);

  static platform::http::AccessDescription Describe() { return DescribeAccess(); }

  platform::Task<platform::Result<Caller>> operator()(App& app,
                                                      const platform::http::Request& request,
                                                      Id id) const {
    ASSIGN_OR_CO_RETURN(Caller caller, co_await Authenticate(app.validator, request));
    CO_RETURN_IF_ERROR(co_await find(app, id));
    if (!caller.is_admin) co_return std::unexpected(platform::Error::PermissionDenied());
    co_return caller;
  }
};

// Who makes a request, and the owner of the object that its path names.
template <class OwnerId>
struct Ownership {
  Caller caller;
  OwnerId owner;
};

// Permits administrators and the owner of the object that the path names.
template <class App, class Id, class OwnerId>
struct OwnerOrAdmin {
  using Grant = Ownership<OwnerId>;

  // Returns the id of the owner of the object that the path names. It may look among the caller's
  // objects first. An error, such as kNotFound, is the answer to a signed-in caller.
  platform::Task<platform::Result<OwnerId>> (*find_owner)(App& app, const Caller& caller, Id id);

  static platform::http::AccessDescription Describe() { return DescribeAccess(); }

  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request,
                                                     Id id) const {
    ASSIGN_OR_CO_RETURN(Caller caller, co_await Authenticate(app.validator, request));
    ASSIGN_OR_CO_RETURN(const OwnerId owner, co_await find_owner(app, caller, id));
    if (caller.id != owner.value() && !caller.is_admin) {
      co_return std::unexpected(platform::Error::PermissionDenied());
    }
    co_return Grant{.caller = caller, .owner = owner};
  }
};

}  // namespace customers::client
