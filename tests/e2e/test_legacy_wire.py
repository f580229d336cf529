"""The ordinary requests of a client of the reference, with LEGACY_API=true and an administrator who
was made beforehand. Whole bodies are compared: members that the reference does not have are added
on purpose only."""

import httpx
import pytest

from microcart.testing.accounts import fresh_email
from microcart.testing.client import TIMESTAMP
from microcart.testing.service import run

PASSWORD = "a password"
USER_KEYS = {"id", "created", "email", "first_name", "last_name", "is_admin"}
PRODUCT_KEYS = {"id", "created", "name", "description", "price"}
ITEM_KEYS = {"id", "created", "cart_id", "product_id", "quantity",
             "name", "price", "line_total", "is_available"}


def _client(service):
    with httpx.Client(base_url=f"{service.url}/api/v1") as client:
        yield client


@pytest.fixture(scope="module")
def customers_service(customers_binary, customers_environment, customers_database, start_service):
    return start_service(customers_binary,
                         customers_environment(customers_database, LEGACY_API="true"))


@pytest.fixture(scope="module")
def cart_service(cart_binary, cart_environment, cart_database, customers_service, start_service):
    return start_service(cart_binary, cart_environment(
        cart_database, customers_service.grpc_port, LEGACY_API="true"))


@pytest.fixture(scope="module")
def customers(customers_service):
    yield from _client(customers_service)


@pytest.fixture(scope="module")
def cart(cart_service):
    yield from _client(cart_service)


def data_of(answer: httpx.Response, status: int = 200):
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"data"}, answer.text
    return answer.json()["data"]


def log_in(customers, email: str, password: str = PASSWORD) -> dict[str, str]:
    data = data_of(customers.post("/auth/login/", json={"email": email, "password": password}))
    assert set(data) == {"token", "user"} and set(data["user"]) == USER_KEYS
    return {"Authorization": data["token"]}


@pytest.fixture(scope="module")
def admin(cluster, customers, customers_binary, customers_database) -> dict[str, str]:
    email = fresh_email("boss")
    made = run(customers_binary, "create-admin", "--email", email, stdin=PASSWORD,
               environment=cluster.environment(customers_database))
    assert made.returncode == 0, made.stderr
    return log_in(customers, email)


@pytest.fixture
def user(customers) -> dict:
    return data_of(customers.post("/users/create/", json={
        "email": fresh_email(), "password": PASSWORD, "first_name": "Ann", "last_name": "Lee",
        "is_admin": False}), 201)


@pytest.fixture
def signed_in(customers, user) -> dict[str, str]:
    return log_in(customers, user["email"])


@pytest.fixture
def shopper(cart, user, signed_in) -> dict[str, str]:
    """Returns the headers of a user with an empty cart."""
    assert data_of(cart.get(f"/cart/{user['id']}/", headers=signed_in)) == {
        "user_id": user["id"], "total_price": "0.00", "cart_items": []}
    return signed_in


# Customers

def test_register(customers):
    sent = {"email": fresh_email(), "first_name": "Ann", "last_name": "Lee", "is_admin": False}
    made = data_of(customers.post("/users/create/", json={**sent, "password": PASSWORD}), 201)
    assert TIMESTAMP.fullmatch(made["created"]) and made["id"] > 0
    assert made == {**sent, "id": made["id"], "created": made["created"]}


def test_log_in(customers, user):
    data = data_of(customers.post("/auth/login/", json={
        "email": user["email"], "password": PASSWORD}))
    assert data == {"token": data["token"], "user": user}
    assert data["token"].startswith("Bearer ")


def test_list_users(customers, admin, user):
    listed = data_of(customers.get("/users/list/", headers=admin))
    assert user in listed and all(set(each) == USER_KEYS for each in listed)
    assert data_of(customers.get("/users/list/", headers=admin,
                                 params={"search": user["email"]})) == [user]


def test_show_a_user(customers, user, signed_in):
    assert data_of(customers.get(f"/users/{user['id']}/", headers=signed_in)) == user
    assert set(data_of(customers.get("/users/1/", headers=signed_in))) == USER_KEYS


def test_change_a_user(customers, user, signed_in):
    new = {"first_name": "Bea", "last_name": "May", "email": fresh_email(), "is_admin": False}
    assert data_of(customers.patch(f"/users/{user['id']}/", headers=signed_in, json=new)) == {
        **user, **new}


def test_make_an_administrator(customers, admin, user):
    changed = customers.patch(f"/users/{user['id']}/", headers=admin, json={"is_admin": True})
    assert data_of(changed) == {**user, "is_admin": True}


def test_delete_a_user(customers, admin, user, signed_in):
    answer = customers.delete(f"/users/{user['id']}/", headers=signed_in)
    assert (answer.status_code, answer.content) == (204, b"")
    assert customers.get(f"/users/{user['id']}/", headers=admin).status_code == 404


def test_change_a_password(customers, user, signed_in):
    new = "another password"
    answer = customers.patch(f"/users/{user['id']}/change-password/", headers=signed_in, json={
        "new_password": new, "confirm_new_password": new})
    assert (answer.status_code, answer.json()) == (200, {})
    log_in(customers, user["email"], new)


# Cart

def test_list_products(cart):
    listed = data_of(cart.get("/products/list/"))
    assert [product["name"] for product in listed] == [f"Product_{n}" for n in range(4)]
    assert all(PRODUCT_KEYS <= set(product) for product in listed)
    assert data_of(cart.get("/products/list/", params={"search": "duct_2"})) == [listed[2]]


def test_list_a_page(cart):
    page = data_of(cart.get("/products/list/", params={"limit": 2, "after": 1}))
    assert [product["id"] for product in page] == [2, 3]


def test_fill_and_empty_a_cart(cart, user, shopper):
    filled = data_of(cart.post(f"/cart-item/{user['id']}/create", headers=shopper,
                               json={"product_id": 1, "quantity": 2}), 201)
    [item] = filled["cart_items"]
    assert set(item) == ITEM_KEYS and TIMESTAMP.fullmatch(item["created"])
    assert filled == {"user_id": user["id"], "total_price": "299.98", "cart_items": [
        {**item, "cart_id": user["id"], "product_id": 1, "quantity": 2}]}
    assert data_of(cart.get(f"/cart/{user['id']}/", headers=shopper)) == filled

    changed = data_of(cart.patch(f"/cart-item/{item['id']}/", headers=shopper,
                                 json={"quantity": 5}))
    assert changed == {"user_id": user["id"], "total_price": "749.95",
                       "cart_items": [{**item, "quantity": 5, "line_total": "749.95"}]}

    answer = cart.delete(f"/cart-item/{item['id']}/", headers=shopper)
    assert (answer.status_code, answer.content) == (204, b"")
    data_of(cart.post(f"/cart-item/{user['id']}/create", headers=shopper,
                      json={"product_id": 2, "quantity": 1}), 201)
    answer = cart.delete(f"/cart/{user['id']}/", headers=shopper)
    assert (answer.status_code, answer.content) == (204, b"")
    assert data_of(cart.get(f"/cart/{user['id']}/", headers=shopper)) == {
        "user_id": user["id"], "total_price": "0.00", "cart_items": []}


# Refusals

@pytest.mark.parametrize("body, status, fields", [
    ({"email": "a@example.com", "password": "123456"}, 422,
     {"password": ["Shorter than minimum length 7."]}),
    ({"email": "no address", "password": PASSWORD}, 400,
     {"non_field_errors": ["Unable to log in with provided credentials."]}),
    ({}, 422, {"email": ["Missing data for required field."],
               "password": ["Missing data for required field."]}),
])
def test_refused_log_in(customers, body, status, fields):
    answer = customers.post("/auth/login/", json=body)
    assert (answer.status_code, answer.json()) == (status, {"error": {
        "code": {400: "bad_request", 422: "unprocessable_entity"}[status],
        "message": "Request validation has failed", "fields": fields}})


def test_refused_without_a_token(customers, cart):
    assert customers.get("/users/list/").json() == {"error": {
        "code": "unauthorized", "message": "401: Missing authorization token"}}
    assert cart.get("/cart/1/").json() == {"error": {
        "code": "forbidden", "message": "403: Invalid authorization header"}}
