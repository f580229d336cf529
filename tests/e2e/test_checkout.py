"""Checkouts: the carts that were ordered, the stocks, and the feed that an order system reads."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from microcart.testing.client import FORBIDDEN, NOT_FOUND, TIMESTAMP, Client, at_once

FEED = "/api/v1/checkouts/list/"


def checkout_path(account) -> str:
    return f"/api/v1/cart/{account.id}/checkout/"


def test_checkout(cart, carts, products):
    owner = carts.owner()
    counted = products.create(name="Counted", price="0.125", sku="C-1", stock=7)
    carts.put(owner, 2, 2).ok()
    carts.put(owner, counted, 5).ok()
    done = carts.check_out(owner).ok(201)
    assert TIMESTAMP.fullmatch(done["created"])
    assert done == {
        "id": done["id"], "user_id": owner.id, "created": done["created"], "total_price": "600.63",
        "lines": [{"product_id": 2, "sku": None, "name": "Product_1", "price": "299.99",
                   "quantity": 2, "line_total": "599.98"},
                  {"product_id": counted, "sku": "C-1", "name": "Counted", "price": "0.13",
                   "quantity": 5, "line_total": "0.65"}]}
    assert products.stock(counted) == 2
    assert carts.get(owner).ok() == {"user_id": owner.id, "total_price": "0.00", "cart_items": []}

    # It does not change with its products.
    products.change(counted, name="Renamed", price="99", sku="C-2")
    path = f"/api/v1/checkouts/{done['id']}/"
    assert cart.get(path, owner.token).ok() == done
    assert cart.get(f"/api/v1/cart/{owner.id}/checkouts/", owner.token).ok() == [done]


def test_repeated(carts, products):
    owner = carts.owner()
    product = products.create(stock=5)
    tag = carts.put(owner, product, 2).headers["ETag"]
    done = carts.check_out(owner, tag).ok(201)
    assert carts.check_out(owner, tag).ok(200) == done
    carts.put(owner, product, 2).ok()
    assert carts.check_out(owner, f'"x", {tag}').ok(200) == done
    assert products.stock(product) == 3
    assert carts.check_out(owner).ok(201)["id"] != done["id"]
    assert products.stock(product) == 1


def test_without_a_condition(cart, carts):
    item = carts.item()
    cart.post(checkout_path(item.owner), item.owner.token).refused(
        428, "428: Precondition Required")
    assert len(carts.get(item.owner).ok()["cart_items"]) == 1


def test_empty_cart(cart, carts, accounts):
    owner = carts.owner()
    carts.check_out(owner).invalid({"cart_items": ["The cart is empty."]}, 409)
    carts.check_out(owner, "*").invalid({"cart_items": ["The cart is empty."]}, 409)
    carts.check_out(owner, '"0-1"').refused(412, "412: Precondition Failed")
    carts.check_out(accounts.create(), '"0-0"').refused(404, NOT_FOUND)


def test_lines_that_cannot_be_had(carts, products, cluster, cart_database):
    owner = carts.owner()
    scarce, gone, good = (products.create(name="Scarce", stock=5),
                          products.create(name='Gone "Ö"'), products.create(stock=5))
    for product in (good, scarce, gone):
        carts.put(owner, product, 3).ok()
    products.change(scarce, stock=2)
    products.change(gone, is_active=False)
    before = carts.get(owner)
    last = cluster.query(cart_database, "SELECT last_value FROM checkouts_id_seq")
    carts.check_out(owner).invalid({"cart_items": [
        "Scarce is not available in this quantity.",
        'Gone "Ö" is not available in this quantity.']}, 409)
    after = carts.get(owner)
    assert (after.data, after.headers["ETag"]) == (before.data, before.headers["ETag"])
    assert [products.stock(product) for product in (scarce, gone, good)] == [2, None, 5]
    assert cluster.query(cart_database, "SELECT last_value FROM checkouts_id_seq") == last


def test_a_changed_price_is_another_state(carts, products):
    owner, product = carts.owner(), products.create()
    tag = carts.put(owner, product).headers["ETag"]
    products.change(product, price="10.01")
    carts.check_out(owner, tag).refused(412, "412: Precondition Failed")


def test_who_may(cart, carts, people, admin):
    item = carts.item()
    done = carts.check_out(item.owner).ok(201)
    path, own = f"/api/v1/checkouts/{done['id']}/", f"/api/v1/cart/{item.owner.id}/checkouts/"
    for target in (path, own):
        cart.get(target, people.stranger.token).refused(403, FORBIDDEN)
        cart.get(target, admin).ok()
    cart.get(FEED, item.owner.token).refused(403, FORBIDDEN)
    cart.get("/api/v1/checkouts/999999/", people.stranger.token).refused(404, NOT_FOUND)


# Races

@pytest.mark.parametrize("attempt", range(3))
def test_stock_never_goes_below_0(cart, carts, products, cluster, cart_database, attempt):
    """Two products, so that checkouts lock them at the same time."""
    first, second = products.create(stock=10), products.create(stock=9)
    owners = [carts.owner() for _ in range(8)]
    tags = []
    for number, owner in enumerate(owners):
        for product in (first, second) if number % 2 else (second, first):
            tag = carts.put(owner, product, 2).headers["ETag"]
        tags.append(tag)
    answers = at_once(cart.url, [("POST", checkout_path(owner), owner.token) for owner in owners],
                      headers=[{"If-Match": tag} for tag in tags])
    statuses = Counter(answer.status for answer in answers)
    # A tag names its state no longer if another purchase has made a line unavailable.
    assert statuses[201] == 4 and statuses[201] + statuses[409] + statuses[412] == 8, statuses
    assert (products.stock(first), products.stock(second)) == (2, 1)
    assert cluster.query(
        cart_database, "SELECT sum(quantity) FROM checkout_lines WHERE product_id IN (%s, %s)",
        first, second) == [(16,)]


def test_a_price_cannot_change_under_a_checkout(carts, products):
    """Every checkout has the price that its tag named."""
    owner, product = carts.owner(), products.create(price="1.00")
    is_over = Event()

    def reprice() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            products.change(product, price=f"{1 + number % 50}.00")

    with ThreadPoolExecutor(1) as threads:
        changes = threads.submit(reprice)
        try:
            done = 0
            while done < 20:
                shown = carts.put(owner, product, 1)
                answer = carts.check_out(owner, shown.headers["ETag"])
                assert answer.status in (201, 412), answer
                if answer.status == 201:
                    done += 1
                    assert answer.data["total_price"] == shown.data["total_price"]
                if done % 5 == 0:
                    products.change(product, name=f"Name {done}")
        finally:
            is_over.set()
    changes.result()


# Pages and the feed

def test_a_users_checkouts_in_pages(cart, carts):
    owner = carts.owner()
    made = []
    for _ in range(5):
        carts.put(owner, 1).ok()
        made.append(carts.check_out(owner).ok(201)["id"])
    seen, after = [], 0
    while after is not None:
        page = cart.get(f"/api/v1/cart/{owner.id}/checkouts/?limit=2&after={after}", owner.token)
        seen += [one["id"] for one in page.ok()]
        after = page.body["next"]
    assert seen == made
    cart.get(f"/api/v1/cart/{owner.id}/checkouts/?limit=0", owner.token).invalid(
        {"limit": ["Must be greater than or equal to 1 and less than or equal to 1000."]})


def read_feed(cart: Client, admin: str, after: int = 0, limit: int = 3) -> list[int]:
    """Returns the ids of all checkouts after one, page by page."""
    seen = []
    while after is not None:
        page = cart.get(f"{FEED}?limit={limit}&after={after}", admin)
        seen += [one["id"] for one in page.ok()]
        after = page.body["next"]
    return seen


def test_the_feed(cart, carts, admin):
    before = read_feed(cart, admin)
    made = []
    for _ in range(4):
        made.append(carts.check_out(carts.item().owner).ok(201))
    assert read_feed(cart, admin) == before + [one["id"] for one in made]
    assert cart.get(f"{FEED}?after={made[1]['id']}", admin).ok() == made[2:]
    assert read_feed(cart, admin, after=made[-1]["id"]) == []
    cart.get(f"{FEED}?after=999999", admin).invalid({"after": ["No checkout has this id."]})
    cart.get(f"{FEED}?after=x", admin).invalid({"after": ["Not a valid integer."]})


def test_a_late_commit_appears_behind_what_was_read(cart, carts, admin, cluster,
                                                    cart_database):
    """The checkout with the lower id is committed after that with the higher one was read."""
    late = carts.item().owner
    before = read_feed(cart, admin)
    last = before[-1] if before else 0
    with cluster.connect(cart_database, autocommit=False) as holder:
        [(late_id,)] = holder.execute(
            "SELECT (checkout).id FROM check_out(%s, ARRAY['*'])", [late.id]).fetchall()
        early_id = carts.check_out(carts.item().owner).ok(201)["id"]
        assert late_id < early_id
        assert read_feed(cart, admin, after=last) == [early_id]
        holder.commit()
    assert read_feed(cart, admin, after=early_id) == [late_id]
    assert read_feed(cart, admin, after=last) == [early_id, late_id]


def test_readers_never_miss_a_checkout(cart, carts, admin):
    """Several readers follow the feed while carts are checked out at the same time."""
    is_over = Event()
    first = (read_feed(cart, admin) or [0])[-1]

    def follow() -> list[int]:
        seen = [first]
        while True:
            was_over = is_over.is_set()
            seen += read_feed(cart, admin, after=seen[-1], limit=2)
            if was_over:
                return seen[1:]

    def buy(_) -> list[int]:
        owner = carts.owner()
        made = []
        for _ in range(10):
            carts.put(owner, 1).ok()
            made.append(carts.check_out(owner).ok(201)["id"])
        return made

    with ThreadPoolExecutor(8) as threads:
        readers = [threads.submit(follow) for _ in range(3)]
        try:
            made = [one for ids in threads.map(buy, range(4)) for one in ids]
        finally:
            is_over.set()
        seen = [reader.result() for reader in readers]
    assert seen[0] == seen[1] == seen[2] == read_feed(cart, admin, after=first)
    assert sorted(seen[0]) == sorted(made)
