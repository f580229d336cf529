"""Audit: the log has a line for every login and for every change of an account."""

import json

import pytest

from microcart.testing.accounts import PASSWORD, fresh_email
from microcart.waiting import eventually

NEW_PASSWORD = "quite another password"
RECOVERED_PASSWORD = "one more password"


@pytest.fixture
def lines(own_customers_service):
    """Returns the audit lines since the test began."""
    first = len(own_customers_service.stdout)

    def read(count: int) -> list[dict]:
        def entries() -> list[dict]:
            return [entry for entry in map(json.loads, own_customers_service.stdout[first:])
                    if entry["message"] == "audit"]
        eventually(lambda: len(entries()) >= count, 10, lambda: f"{entries()}")
        return entries()

    return read


def test_every_action_has_its_line(customers, accounts, admin, lines):
    """Performs all actions, one after the other, each by a request with an id of its own."""
    numbers = iter(range(1, 100))
    expected = []

    def act(method: str, url: str, token: str | None, body, *audits: tuple, ok: tuple = (200, 201, 204)):
        request_id = f"audited-{next(numbers)}"
        options = {} if body is None else {"body": body}
        answer = customers.call(method, url, token, headers={"X-Request-ID": request_id}, **options)
        assert answer.status in ok, answer
        for action, actor, target in audits:
            user = answer.data["id"] if target == "new" else target
            expected.append((action, user if actor == "new" else actor, user, request_id))
        return answer

    email = fresh_email()
    create, login = "/api/v1/users/create/", "/api/v1/auth/login/"
    user = act("POST", create, None, {"email": email, "password": PASSWORD},
               ("create_user", "new", "new")).data["id"]
    other = act("POST", create, admin,
                {"email": fresh_email(), "password": PASSWORD, "is_admin": True},
                ("create_user", 1, "new"), ("grant_admin", 1, "new")).data["id"]
    path = f"/api/v1/users/{user}/"
    credentials = {"email": email, "password": PASSWORD}

    act("POST", login, None, {**credentials, "password": "a wrong one"},
        ("fail_to_log_in", None, user), ok=(400,))
    act("POST", login, None, {"email": fresh_email(), "password": "a wrong one"},
        ("fail_to_log_in", None, None), ok=(400,))
    held = [act("POST", login, None, credentials, ("log_in", user, user)).data["token"]
            for _ in range(4)]

    act("PATCH", path, held[0], {"first_name": "Zoë"}, ("change_names", user, user))
    email = fresh_email()
    act("PATCH", path, admin, {"email": email, "is_admin": True, "last_name": "X"},
        ("grant_admin", 1, user), ("change_email", 1, user), ("change_names", 1, user))
    act("PATCH", path, held[0], {"is_admin": False}, ("revoke_admin", user, user))
    # These requests change nothing, so they have no line.
    act("PATCH", path, held[0], {"email": email, "is_admin": False})
    act("PATCH", path, held[0], {"is_admin": True}, ok=(403,))
    act("GET", path, held[0], None)

    sessions = customers.get(f"{path}sessions/", held[0]).ok()
    act("DELETE", f"{path}sessions/{sessions[0]['id']}/", admin, None, ("end_session", 1, user))
    act("POST", "/api/v1/auth/logout/", held[1], None, ("log_out", user, user))
    act("DELETE", f"{path}sessions/", held[0], None, ("end_other_sessions", user, user))
    act("PATCH", f"{path}change-password/", held[0], {
        "current_password": PASSWORD, "new_password": NEW_PASSWORD,
        "confirm_new_password": NEW_PASSWORD}, ("change_password", user, user))

    code = act("POST", f"{path}recovery/", admin, None, ("make_recovery_code", 1, user)).data["code"]
    act("POST", "/api/v1/auth/recover/", None, {
        "code": code, "new_password": RECOVERED_PASSWORD,
        "confirm_new_password": RECOVERED_PASSWORD}, ("recover_account", user, user))
    act("DELETE", f"/api/v1/users/{other}/", admin, None, ("delete_user", 1, other))

    written = lines(len(expected))
    assert [(entry["action"], entry["actor_id"], entry["target_id"], entry["request_id"])
            for entry in written] == expected
    secrets = [PASSWORD, NEW_PASSWORD, RECOVERED_PASSWORD, email, code, *held, "@"]
    for entry in written:
        assert set(entry) == {"time", "level", "message", "action", "actor_id", "target_id",
                              "session_id", "request_id", "client"}
        assert (entry["level"], entry["client"]) == ("info", "127.0.0.1")
        assert not any(secret in json.dumps(entry) for secret in secrets)
    by_action = {entry["action"]: entry["session_id"] for entry in written}
    assert by_action["end_session"] == sessions[0]["id"]
    assert isinstance(by_action["log_in"], int) and isinstance(by_action["log_out"], int)
    assert by_action["change_names"] is None
