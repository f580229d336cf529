"""Real races: simultaneous requests, each on its own connection."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Event

import pytest

from microcart.testing.accounts import PASSWORD, fresh_email
from microcart.testing.client import at_once


def statuses(answers) -> Counter:
    return Counter(answer.status for answer in answers)


@pytest.mark.parametrize("attempt", range(3))
def test_adding_one_product(cart, carts, cluster, cart_database, attempt):
    owner = carts.owner()
    answers = at_once(cart.url, [
        ("POST", f"/api/v1/cart-item/{owner.id}/create", owner.token,
         {"product_id": 1, "quantity": 1 + number % 5}) for number in range(32)])
    assert statuses(answers) == {201: 1, 400: 31}
    [winner] = [answer for answer in answers if answer.status == 201]
    assert winner.data == cart.get(f"/api/v1/cart/{owner.id}/", owner.token).ok()
    assert cluster.query(cart_database, "SELECT count(*) FROM cartitems WHERE cart_id = %s",
                         owner.id) == [(1,)]
    for answer in answers:
        if answer.status == 400:
            assert set(answer.fields) == {"product_id"}


@pytest.mark.parametrize("attempt", range(3))
def test_adding_different_products(cart, carts, attempt):
    owner = carts.owner()
    answers = at_once(cart.url, [
        ("POST", f"/api/v1/cart-item/{owner.id}/create", owner.token,
         {"product_id": 1 + number % 4, "quantity": 1}) for number in range(16)])
    assert statuses(answers) == {201: 4, 400: 12}
    assert cart.get(f"/api/v1/cart/{owner.id}/", owner.token).ok()["total_price"] == "699.96"


@pytest.mark.parametrize("attempt", range(3))
def test_registering_one_email(customers, cluster, customers_database, attempt):
    name, domain = fresh_email("race").split("@")
    email = f"{name}zo\u00eb@{domain}"
    spellings = [email, email.upper(), f"{name}zoe\u0308@{domain}", f'"{name}zo\u00eb"@{domain}']
    answers = at_once(customers.url, [
        ("POST", "/api/v1/users/create/", None,
         {"email": spellings[number % 4], "password": PASSWORD}) for number in range(16)])
    created = [answer for answer in answers if answer.status == 201]
    assert len(created) == 1, statuses(answers)
    for answer in answers:
        # On a busy machine passwords may wait for too long for their hash, which is a 503.
        if answer.status not in (201, 503):
            answer.invalid({"email": ["User with this email already exists."]}, 400)
    assert cluster.query(
        customers_database, "SELECT email FROM users WHERE canonical_email(email) = %s",
        email) == [(created[0].data["email"],)]
    # The others have used up no id.
    assert cluster.query(customers_database, "SELECT last_value FROM users_id_seq") == [
        (created[0].data["id"],)]


@pytest.mark.parametrize("attempt", range(3))
def test_changing_to_one_email(customers, accounts, attempt):
    email = fresh_email("race")
    users = [accounts.create() for _ in range(8)]
    answers = at_once(customers.url, [
        ("PATCH", f"/api/v1/users/{user.id}/", user.token, {"email": email}) for user in users])
    assert statuses(answers) == {200: 1, 400: 7}


@pytest.mark.parametrize("attempt", range(3))
def test_first_gets_of_a_cart(cart, accounts, cluster, cart_database, attempt):
    account = accounts.create()
    answers = at_once(cart.url,
                      [("GET", f"/api/v1/cart/{account.id}/", account.token)] * 32)
    for answer in answers:
        assert answer.ok() == {"user_id": account.id, "total_price": "0.00", "cart_items": []}
    assert cluster.query(cart_database, "SELECT count(*) FROM carts WHERE user_id = %s",
                         account.id) == [(1,)]


def test_changing_against_deleting_an_item(cart, carts):
    seen = Counter()
    owner = carts.owner()
    for _ in range(40):
        item = carts.add(owner, 1, 1)["cart_items"][0]["id"]
        path = f"/api/v1/cart-item/{item}/"
        changes = [("PATCH", path, owner.token, {"quantity": quantity}) for quantity in (2, 3)]
        deletions = [("DELETE", path, owner.token)] * 2
        answers = at_once(cart.url, [changes[0], deletions[0], changes[1], deletions[1]])
        for answer in (answers[0], answers[2]):
            assert answer.status in (200, 404), answer
            if answer.status == 200:
                assert [line["id"] for line in answer.data["cart_items"]] == [item]
        assert sorted((answers[1].status, answers[3].status)) == [204, 404]
        assert cart.get(f"/api/v1/cart/{owner.id}/", owner.token).ok()["cart_items"] == []
        seen[answers[0].status] += 1
    assert sum(seen.values()) == 40


def test_adding_against_emptying_a_cart(cart, carts):
    """Every answer is a state that the cart was in: the latest additions, without those before some
    clearing. No later answer shows one of those again."""
    owner = carts.owner()
    path = f"/api/v1/cart/{owner.id}/"
    products = {1: "149.99", 2: "299.99", 3: "99.99", 4: "149.99"}
    is_over = Event()

    def empty() -> None:
        while not is_over.is_set():
            cart.delete(path, owner.token).ok(204)

    def look() -> list[list[tuple]]:
        seen = []
        while not is_over.is_set():
            data = cart.get(path, owner.token).ok()
            check_total(data)
            seen.append(lines(data))
        return seen

    def lines(data) -> list[tuple]:
        return [(item["id"], item["product_id"]) for item in data["cart_items"]]

    def check_total(data) -> None:
        total = sum(Decimal(products[product]) for _, product in lines(data))
        assert Decimal(data["total_price"]) == total, data

    added = []  # The lines of the model, also those that were cleared.
    first = 0  # The first of them that may still be in the cart.
    with ThreadPoolExecutor(4) as threads:
        try:
            clearers = [threads.submit(empty) for _ in range(2)]
            reader = threads.submit(look)
            for number in range(400):
                product = 1 + number % 4
                answer = cart.post(f"/api/v1/cart-item/{owner.id}/create", owner.token,
                                   {"product_id": product, "quantity": 1})
                if answer.status == 400:
                    [last] = [line for line in added[-4:] if line[1] == product]
                    assert last in added[first:]
                    continue
                data = answer.ok(201)
                check_total(data)
                shown = lines(data)
                assert shown[-1][1] == product, data
                added.append(shown[-1])
                assert shown == added[len(added) - len(shown):], data
                assert len(added) - len(shown) >= first, data
                first = len(added) - len(shown)
        finally:
            is_over.set()
    for clearer in clearers:
        clearer.result()
    first = last = 0
    for shown in reader.result():
        if shown:
            assert added.index(shown[0]) >= first and added.index(shown[-1]) >= last
            first, last = added.index(shown[0]), added.index(shown[-1])
            assert shown == added[first:last + 1]


def test_an_addition_without_effect_draws_no_id(cart, carts, cluster, cart_database):
    def drawn() -> int:
        [(number,)] = cluster.query(cart_database, "SELECT last_value FROM cartitems_id_seq")
        return number

    owner = carts.owner()
    carts.add(owner, 1)
    before = drawn()
    answers = at_once(cart.url, [
        ("POST", f"/api/v1/cart-item/{owner.id}/create", owner.token,
         {"product_id": 1 + number % 2 * 998, "quantity": 1}) for number in range(16)])
    assert statuses(answers) == {400: 16}
    assert drawn() == before


def test_password_changes(customers, accounts):
    account = accounts.create()
    answers = at_once(customers.url, [
        ("PATCH", f"/api/v1/users/{account.id}/change-password/", account.token,
         {"current_password": PASSWORD, "new_password": f"password {number}",
          "confirm_new_password": f"password {number}"}) for number in range(8)])
    # A late request finds its token revoked, or the current password changed.
    assert {answer.status for answer in answers} <= {200, 400, 403}, statuses(answers)
    changed = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert changed
    logins = [customers.post("/api/v1/auth/login/", body={
        "email": account.email, "password": f"password {number}"}).status for number in range(8)]
    assert logins.count(200) == 1 and logins.index(200) in changed
    customers.get(f"/api/v1/users/{account.id}/", account.token).refused(
        403, "403: Token is revoked")


def test_logins_against_a_password_change(customers, accounts):
    """A login with the old password either fails or gets a token that the change revokes."""
    for _ in range(5):
        account = accounts.create()
        login = ("POST", "/api/v1/auth/login/", None,
                 {"email": account.email, "password": PASSWORD})
        change = ("PATCH", f"/api/v1/users/{account.id}/change-password/", account.token,
                  {"current_password": PASSWORD, "new_password": "another password",
                   "confirm_new_password": "another password"})
        answers = at_once(customers.url, [login, login, login, change, login, login, login])
        answers.pop(3).bare()
        for answer in answers:
            assert answer.status in (200, 400), answer
            if answer.status == 200:
                customers.get(f"/api/v1/users/{account.id}/", answer.data["token"]).refused(
                    403, "403: Token is revoked")


def test_deleting_a_user(customers, accounts):
    for _ in range(5):
        account = accounts.create()
        path = f"/api/v1/users/{account.id}/"
        answers = at_once(customers.url, [
            ("DELETE", path, accounts.demo_admin_token)] * 4 + [
            ("PATCH", path, accounts.demo_admin_token, {"first_name": "New"})] * 4)
        assert sorted(answer.status for answer in answers[:4]) == [204, 404, 404, 404]
        assert {answer.status for answer in answers[4:]} <= {200, 404}
