"""LEGACY_API=true restores exactly the behaviours marked * in docs/api-differences.md."""

import httpx
import pytest

from microcart.testing import bodies, tokens
from microcart.testing.accounts import PASSWORD, Accounts, fresh_email
from microcart.testing.client import FORBIDDEN, Client

NEW = "quite another password"


@pytest.fixture(scope="module")
def legacy(customers_binary, customers_environment, customers_database, start_service):
    client = Client(start_service(customers_binary, customers_environment(
        customers_database, LEGACY_API="true")).url)
    yield client
    client.close()


@pytest.fixture(scope="module")
def legacy_accounts(legacy) -> Accounts:
    return Accounts(legacy)


def test_restored_any_signed_in_user_reads_any_profile(legacy, legacy_accounts):
    one, other = legacy_accounts.create(), legacy_accounts.create()
    assert legacy.get(f"/api/v1/users/{other.id}/", one.token).ok()["email"] == other.email
    legacy.get(f"/api/v1/users/{other.id}/").refused(401, "401: Missing authorization token")


def test_restored_a_password_change_needs_no_current_password(legacy, legacy_accounts):
    account = legacy_accounts.create()
    legacy.patch(f"/api/v1/users/{account.id}/change-password/", account.token, {
        "new_password": NEW, "confirm_new_password": NEW}).bare()
    legacy_accounts.login(account.email, NEW)


def test_restored_lists_have_no_next(customers_service, legacy):
    admin = {"Authorization": tokens.bearer(1)}
    path = "/api/v1/users/list/?limit=1"
    assert set(httpx.get(f"{customers_service.url}{path}", headers=admin).json()) == {
        "data", "next"}
    page = httpx.get(f"{legacy.url}{path}", headers=admin).json()
    assert set(page) == {"data"} and len(page["data"]) == 1


def test_kept_a_password_change_revokes_tokens(legacy, legacy_accounts):
    account = legacy_accounts.create()
    legacy.patch(f"/api/v1/users/{account.id}/change-password/", account.token, {
        "new_password": NEW, "confirm_new_password": NEW}).bare()
    legacy.get(f"/api/v1/users/{account.id}/", account.token).refused(403, "403: Token is revoked")


def test_kept_strangers_change_nothing(legacy, legacy_accounts):
    one, other = legacy_accounts.create(), legacy_accounts.create()
    path = f"/api/v1/users/{other.id}/"
    legacy.patch(path, one.token, {"first_name": "x"}).refused(403, FORBIDDEN)
    legacy.delete(path, one.token).refused(403, FORBIDDEN)
    legacy.patch(f"{path}change-password/", one.token, {
        "new_password": NEW, "confirm_new_password": NEW}).refused(403, FORBIDDEN)
    legacy.get("/api/v1/users/list/", one.token).refused(403, FORBIDDEN)


def test_kept_nobody_makes_himself_an_admin(legacy, legacy_accounts):
    account = legacy_accounts.create()
    legacy.patch(f"/api/v1/users/{account.id}/", account.token, {"is_admin": True}).refused(
        403, FORBIDDEN)
    legacy.post("/api/v1/users/create/", body={
        "email": fresh_email(), "password": PASSWORD, "is_admin": True}).refused(403, FORBIDDEN)


def test_kept_emails_differ_in_more_than_case(legacy, legacy_accounts):
    account = legacy_accounts.create()
    legacy.post("/api/v1/users/create/", body={
        "email": account.email.upper(), "password": PASSWORD}).invalid(
            {"email": ["User with this email already exists."]}, 400)
    legacy_accounts.login(account.email.upper())


def test_kept_tokens_are_judged_strictly(legacy, legacy_accounts):
    account = legacy_accounts.create()
    endless = tokens.sign({"id": account.id, "email": account.email, "is_admin": False})
    assert legacy.get(f"/api/v1/users/{account.id}/", f"Bearer {endless}").status == 401


def test_kept_searches_and_pages(legacy):
    admin = tokens.bearer(1)
    page = httpx.get(f"{legacy.url}/api/v1/users/list/?search=%25",
                     headers={"Authorization": admin})
    assert page.json() == {"data": []}
    legacy.get("/api/v1/users/list/?limit=0", admin).invalid({"limit": [bodies.LIMIT]})


@pytest.mark.parametrize("value", ["false", "no", "0"])
def test_off_is_off(customers_binary, customers_environment, customers_database, start_service,
                    value):
    service = start_service(customers_binary, customers_environment(
        customers_database, LEGACY_API=value))
    client = Client(service.url)
    client.get("/api/v1/users/1/", tokens.bearer(3)).refused(403, FORBIDDEN)
    client.close()
