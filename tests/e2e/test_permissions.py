"""Permissions of every endpoint for every role. The endpoints are taken from the services' own
route tables, which their metrics report completely, so that an endpoint without a row here fails
the test."""

import re

import pytest

from microcart.testing.accounts import PASSWORD, fresh_email
from microcart.testing.carts import Item
from microcart.testing.client import FORBIDDEN, Client
from microcart.testing.metrics import Scrape

ROLES = ("anonymous", "owner", "stranger", "admin", "promoted", "demoted", "deleted")
ADMINS = ("admin", "promoted")
REVOKED = "403: Token is revoked"
NO_TOKEN = {"customers": "401: Missing authorization token",
            "cart": "403: Invalid authorization header"}

# The roles that are permitted, beside admins.
ANYONE, SIGNED_IN, OWNER, NOBODY = "anyone", "signed in", "owner", "nobody"

NEW_PASSWORD = "quite another password"


def new_user():
    return {"email": fresh_email(), "password": PASSWORD}


def new_admin():
    return {**new_user(), "is_admin": True}


# Service, method, path → permitted roles, status of success, function that makes the body.
ROWS = {
    ("customers", "POST", "/api/v1/auth/login/"): (
        ANYONE, 200, lambda owner: {"email": owner.email, "password": PASSWORD}),
    ("customers", "POST", "/api/v1/users/create/"): (ANYONE, 201, lambda _: new_user()),
    ("customers", "GET", "/api/v1/users/list/"): (NOBODY, 200, None),
    ("customers", "GET", "/api/v1/users/{user_id}/"): (OWNER, 200, None),
    ("customers", "PATCH", "/api/v1/users/{user_id}/"): (
        OWNER, 200, lambda _: {"first_name": "New"}),
    ("customers", "DELETE", "/api/v1/users/{user_id}/"): (OWNER, 204, None),
    ("customers", "PATCH", "/api/v1/users/{user_id}/change-password/"): (
        OWNER, 200, lambda _: {"current_password": PASSWORD, "new_password": NEW_PASSWORD,
                               "confirm_new_password": NEW_PASSWORD}),
    ("customers", "POST", "/api/v1/auth/logout/"): (SIGNED_IN, 204, None),
    ("customers", "GET", "/api/v1/users/{user_id}/sessions/"): (OWNER, 200, None),
    ("customers", "DELETE", "/api/v1/users/{user_id}/sessions/"): (OWNER, 204, None),
    ("customers", "DELETE", "/api/v1/users/{user_id}/sessions/{session_id}/"): (OWNER, 204, None),
    ("customers", "POST", "/api/v1/users/{user_id}/recovery/"): (NOBODY, 201, None),
    ("customers", "POST", "/api/v1/auth/recover/"): (
        ANYONE, 200, lambda owner: {"code": owner.code, "new_password": NEW_PASSWORD,
                                    "confirm_new_password": NEW_PASSWORD}),
    ("cart", "GET", "/api/v1/products/list/"): (ANYONE, 200, None),
    ("cart", "GET", "/api/v1/products/all/"): (NOBODY, 200, None),
    ("cart", "POST", "/api/v1/products/create/"): (
        NOBODY, 201, lambda _: {"name": "New", "price": "1"}),
    ("cart", "GET", "/api/v1/products/{product_id}/"): (ANYONE, 200, None),
    ("cart", "PATCH", "/api/v1/products/{product_id}/"): (NOBODY, 200, lambda _: {"price": "1"}),
    ("cart", "DELETE", "/api/v1/products/{product_id}/"): (NOBODY, 204, None),
    ("cart", "GET", "/api/v1/cart/{user_id}/"): (OWNER, 200, None),
    ("cart", "DELETE", "/api/v1/cart/{user_id}/"): (OWNER, 204, None),
    ("cart", "PUT", "/api/v1/cart/{user_id}/products/{product_id}/"): (
        OWNER, 200, lambda _: {"quantity": 5}),
    ("cart", "POST", "/api/v1/cart/{user_id}/products/{product_id}/add/"): (OWNER, 200, None),
    ("cart", "POST", "/api/v1/cart/{user_id}/merge/"): (OWNER, 200, lambda _: {"items": []}),
    ("cart", "POST", "/api/v1/cart/{user_id}/checkout/"): (OWNER, 201, None),
    ("cart", "GET", "/api/v1/cart/{user_id}/checkouts/"): (OWNER, 200, None),
    ("cart", "GET", "/api/v1/checkouts/list/"): (NOBODY, 200, None),
    ("cart", "GET", "/api/v1/checkouts/{checkout_id}/"): (OWNER, 200, None),
    ("cart", "POST", "/api/v1/cart-item/{cart_id}/create"): (
        OWNER, 201, lambda _: {"product_id": 2, "quantity": 1}),
    ("cart", "PATCH", "/api/v1/cart-item/{item_id}/"): (OWNER, 200, lambda _: {"quantity": 5}),
    ("cart", "DELETE", "/api/v1/cart-item/{item_id}/"): (OWNER, 204, None),
}

# HEAD is GET without the body, for the same roles.
ENDPOINTS = {**ROWS, **{(service, "HEAD", path): row
                        for (service, method, path), row in ROWS.items() if method == "GET"}}

# Paths beside the API, for anybody with or without a token: GET of a path → the status. The names of
# files lack the part that changes with their content.
OPEN = {
    "/healthz": 200,
    "/readyz": 200,
    "/": 200,
    "/api/v1/docs": 308,
    "/api/v1/docs/": 200,
    "/api/v1/docs/swagger.json": 200,
    "/api/v1/docs/favicon-32x32.png": 200,
    "/api/v1/docs/initializer.js": 200,
    "/api/v1/docs/swagger-ui-bundle.js": 200,
    "/api/v1/docs/swagger-ui.css": 200,
}

# The body matters too: making somebody an admin requires an admin.
RIGHTS = {
    ("customers", "POST", "/api/v1/users/create/"): (201, lambda _: new_admin()),
    ("customers", "PATCH", "/api/v1/users/{user_id}/"): (200, lambda _: {"is_admin": True}),
}


def _label(endpoint) -> str:
    return " ".join(endpoint)


def _routes(service) -> set[tuple[str, str]]:
    """Returns method and path of every route of a service."""
    return {(labels["method"], labels["route"])
            for name, labels, _ in Scrape(service).samples
            if name == "http_server_requests_total" and labels["route"] != "unknown"}


def _unversioned(path: str) -> str:
    return re.sub(r"\.[0-9a-f]{16}\.", ".", path)


@pytest.mark.parametrize("service", ["customers", "cart"])
def test_every_endpoint_has_its_row(request, service):
    routes = {(method, _unversioned(path))
              for method, path in _routes(request.getfixturevalue(f"own_{service}_service"))}
    rows = {(method, path) for of, method, path in ROWS if of == service}
    assert routes == rows | {("GET", path) for path in OPEN}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("service", ["customers", "cart"])
def test_what_is_open_to_all(request, people, service, role):
    running = request.getfixturevalue(f"own_{service}_service")
    client = Client(running.url, checker=lambda response: response)
    for _, path in _routes(running):
        status = OPEN.get(_unversioned(path))
        for method in ("GET", "HEAD") if status else ():
            answer = client.call(method, path, people.token(role))
            assert answer.status_code == status, (method, path)
            assert method == "GET" or not answer.content
    client.close()


class Owner:
    """A new account with a cart that holds an item, a checkout, a session, and a recovery code; and a
    product."""

    def __init__(self, customers, cart, carts, accounts, admin):
        account = carts.item().owner
        self.checkout_id = carts.check_out(account).ok(201)["id"]
        self.item = Item(account, carts.add(account)["cart_items"][0]["id"])
        self.id, self.email = account.id, account.email
        self.token = accounts.login(account.email)
        path = f"/api/v1/users/{self.id}"
        [session] = customers.get(f"{path}/sessions/", admin).ok()
        self.session_id = session["id"]
        self.product_id = cart.post("/api/v1/products/create/", admin,
                                    {"name": "Product", "price": "2"}).ok(201)["id"]
        self.code = customers.post(f"{path}/recovery/", admin).ok(201)["code"]


@pytest.fixture
def call(customers, cart, carts, accounts, people, admin):
    """Lets a role call an endpoint for a new owner's things; the answer, and whether that left them
    as they were."""
    def things(owner) -> list:
        return [customers.get(f"/api/v1/users/{owner.id}/", admin).body,
                customers.get(f"/api/v1/users/{owner.id}/sessions/", admin).body,
                cart.get(f"/api/v1/cart/{owner.id}/", admin).body,
                cart.get(f"/api/v1/cart/{owner.id}/checkouts/", admin).body,
                cart.get(f"/api/v1/products/{owner.product_id}/").body]

    def token_of(role: str, endpoint) -> str | None:
        if role in ("anonymous", "deleted") or "logout" not in endpoint[2]:
            return people.token(role)
        # The others' tokens are used again.
        return accounts.login(getattr(people, role).email)

    def send(endpoint, role: str, make_body):
        service, method, path = endpoint
        owner = Owner(customers, cart, carts, accounts, admin)
        token = owner.token if role == "owner" else token_of(role, endpoint)
        before = things(owner)
        body = {} if make_body is None else {"body": make_body(owner)}
        answer = {"customers": customers, "cart": cart}[service].call(
            method,
            path.format(user_id=owner.id, session_id=owner.session_id, cart_id=owner.id,
                        item_id=owner.item.id, product_id=owner.product_id,
                        checkout_id=owner.checkout_id),
            token, headers={"If-Match": "*"}, **body)
        return answer, things(owner) == before

    return send


def _expect(endpoint, role: str, may: bool, status: int, answer, unchanged: bool) -> None:
    if may:
        answer.ok(status)
        return
    if role == "anonymous":
        message = NO_TOKEN[endpoint[0]]
    else:
        message = REVOKED if role == "deleted" else FORBIDDEN
    if endpoint[1] == "HEAD":
        assert answer.status == int(message[:3])
    else:
        answer.refused(int(message[:3]), message)
    assert unchanged


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=_label)
def test_permission(call, endpoint, role):
    who, status, make_body = ENDPOINTS[endpoint]
    may = (who == ANYONE or role in ADMINS or (who == OWNER and role == "owner")
           or (who == SIGNED_IN and role not in ("anonymous", "deleted")))
    _expect(endpoint, role, may, status, *call(endpoint, role, make_body))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("endpoint", RIGHTS, ids=_label)
def test_permission_to_make_an_admin(call, endpoint, role):
    status, make_body = RIGHTS[endpoint]
    answer, unchanged = call(endpoint, role, make_body)
    if role == "anonymous" and "create" in endpoint[2]:
        # Registering requires no token, so a missing one is no error.
        answer.refused(403, FORBIDDEN)
    else:
        _expect(endpoint, role, role in ADMINS, status, answer, unchanged)
