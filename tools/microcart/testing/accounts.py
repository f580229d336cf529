"""Users to act as."""

import dataclasses
import itertools

from microcart.testing import tokens
from microcart.testing.client import Client
from microcart.testing.external import is_external

PASSWORD = "correct horse battery"
DEMO_PASSWORD = "testPass123"
DEMO_ADMIN = 1

# Makes every new account one of the reference, whose tokens (`tokens.bearer`) are valid because its
# token_version is 0. A new account of our own begins at a random version.
ACCOUNTS_OF_THE_REFERENCE = """
CREATE FUNCTION make_account_of_the_reference() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.token_version := 0;
    RETURN NEW;
END $$;
CREATE TRIGGER accounts_of_the_reference BEFORE INSERT ON users
    FOR EACH ROW EXECUTE FUNCTION make_account_of_the_reference();
"""
ACCOUNTS_OF_OUR_OWN = "DROP TRIGGER accounts_of_the_reference ON users"

_numbers = itertools.count(1)


def fresh_email(prefix: str = "user") -> str:
    return f"{prefix}{next(_numbers)}@example.com"


@dataclasses.dataclass(frozen=True)
class Account:
    """An existing user. `token` is an Authorization header, signed as by the reference. In a running
    deployment, where accounts are our own, it is a login's."""

    id: int
    email: str
    password: str
    token: str


class Accounts:
    """Makes accounts through the API of the customers service."""

    def __init__(self, customers: Client):
        self._customers = customers
        self.demo_admin_token = tokens.bearer(DEMO_ADMIN, is_admin=True)

    def create(self, *, is_admin: bool = False, password: str = PASSWORD, **fields) -> Account:
        email = fields.pop("email", None) or fresh_email("admin" if is_admin else "user")
        body = {"email": email, "password": password, "is_admin": is_admin, **fields}
        user = self._customers.post("/api/v1/users/create/", self.demo_admin_token, body).ok(201)
        token = (self.login(email, password) if is_external()
                 else tokens.bearer(user["id"], email=email, is_admin=is_admin))
        return Account(user["id"], email, password, token)

    def login(self, email: str, password: str = PASSWORD) -> str:
        """Logs in and returns the token."""
        body = {"email": email, "password": password}
        return self._customers.post("/api/v1/auth/login/", body=body).ok()["token"]

    def delete(self, account: Account) -> Account:
        self._customers.delete(f"/api/v1/users/{account.id}/", self.demo_admin_token).ok(204)
        return account

    def set_admin(self, account: Account, is_admin: bool) -> Account:
        self._customers.patch(f"/api/v1/users/{account.id}/", self.demo_admin_token,
                              {"is_admin": is_admin}).ok()
        return account


class People:
    """One account of every role. The claims of `demoted` and `promoted` contradict the present
    state of the database; `deleted` no longer exists."""

    def __init__(self, accounts: Accounts):
        self.owner = accounts.create()
        self.stranger = accounts.create()
        self.admin = accounts.create(is_admin=True)
        self.demoted = accounts.set_admin(accounts.create(is_admin=True), False)
        self.promoted = accounts.set_admin(accounts.create(), True)
        self.deleted = accounts.delete(accounts.create())

    def token(self, role: str) -> str | None:
        return None if role == "anonymous" else getattr(self, role).token
