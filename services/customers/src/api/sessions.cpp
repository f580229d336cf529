#include <utility>
#include <vector>

#include "services/customers/src/api/access.h"
#include "services/customers/src/api/audit.h"
#include "services/customers/src/api/routes.h"

namespace customers {

using platform::Result;
using platform::Task;
using platform::http::Method;
using platform::http::Request;

namespace {

// Returns the session of the request's token, if it belongs to the user that the path names.
std::optional<SessionId> CurrentOf(const Subject& subject) {
  return subject.IsSelf() ? subject.caller.session : std::nullopt;
}

Task<Result<std::vector<Session>>> ListSessions(App& app, const Subject& subject) {
  return app.sessions.List(subject.user.id, CurrentOf(subject));
}

Task<Result<void>> EndSession(App& app, const Request& request, Subject subject,
                              SessionId session) {
  CO_RETURN_IF_ERROR(co_await app.sessions.End(subject.caller.actor(), subject.user.id, session));
  Audit(request, Action::kEndSession, subject.caller.user.id, subject.user.id, session);
  co_return Result<void>();
}

Task<Result<void>> EndOtherSessions(App& app, const Request& request, Subject subject) {
  const bool is_own_token_without_session = subject.IsSelf() && !subject.caller.session;
  CO_RETURN_IF_ERROR(co_await app.sessions.EndOthers(
      subject.caller.actor(), subject.user.id, CurrentOf(subject), is_own_token_without_session));
  Audit(request, Action::kEndOtherSessions, subject.caller.user.id, subject.user.id);
  co_return Result<void>();
}

}  // namespace

void AddSessionRoutes(Routes& routes) {
  auto sessions =
      routes.Group("/api/v1/users/{user_id}/sessions",
                   {.name = "sessions", .description = "Where an account is logged in"});
  sessions.Add(Method::kGet, "/", SelfOrAdmin(), ListSessions,
               {.id = "listSessions",
                .summary = "List sessions",
                .description = "The logins that have neither ended nor expired, the latest first. "
                               "There are at most 100: the oldest ends when another begins."});
  sessions.Add(Method::kDelete, "/{session_id}/", SelfOrAdmin(), EndSession,
               {.id = "endSession",
                .summary = "End a session",
                .description = "Both services refuse its token from then on."});
  sessions.Add(Method::kDelete, "/", SelfOrAdmin(), EndOtherSessions,
               {.id = "endOtherSessions",
                .summary = "End all other sessions",
                .description = "All but the one that the request's token belongs to. Tokens of "
                               "the reference, which have no session, are refused as well, unless "
                               "the request itself is made with one of the user's."});
}

}  // namespace customers
