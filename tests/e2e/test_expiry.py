"""CART_EXPIRY_DAYS: the items of carts that nobody has written to are removed."""

import pytest

from microcart.waiting import eventually


@pytest.fixture
def sweep(start_service, cart_binary, cart_environment, cart_database, customers_service):
    """Starts another replica, which looks at all carts at once, and stops it at the end."""
    started = []

    def start(days: int = 3) -> None:
        started.append(start_service(cart_binary, cart_environment(
            cart_database, customers_service.grpc_port, CART_EXPIRY_DAYS=str(days))))

    yield start
    for replica in started:
        replica.stop()


@pytest.fixture
def age(cluster, cart_database):
    """Sets the time of a cart's last write back."""
    def set_back(account, time: str) -> None:
        cluster.query(cart_database, "UPDATE carts SET touched = now() - %s::interval "
                      "WHERE user_id = %s", time, account.id)

    return set_back


def products(carts, account) -> list[int]:
    return [item["product_id"] for item in carts.get(account).ok()["cart_items"]]


def test_old_carts_are_emptied(carts, sweep, age):
    old, young, changed, marker = (carts.item().owner for _ in range(4))
    for account in (old, changed, marker):
        age(account, "3 days")
    age(young, "2 days 23 hours")
    carts.put(changed, 2).ok()
    before = carts.get(old).headers["ETag"]  # A read does not extend a cart's life.
    sweep()
    # The sweep goes in the order of ids.
    eventually(lambda: products(carts, marker) == [], 30)
    assert products(carts, old) == []
    assert products(carts, young) == [1]
    assert products(carts, changed) == [1, 2]
    assert carts.get(old).headers["ETag"] != before
    carts.put(old, 3).ok()


def test_a_cart_that_is_written_to_meanwhile_keeps_its_items(carts, sweep, age, cluster,
                                                             cart_database):
    busy, marker = carts.item().owner, carts.item().owner
    age(busy, "9 days")
    age(marker, "9 days")
    with cluster.connect(cart_database, autocommit=False) as holder:
        holder.execute("SELECT FROM put_product(%s, 2, 1, NULL)", [busy.id])
        sweep()
        eventually(lambda: products(carts, marker) == [], 30)
        holder.commit()
    assert products(carts, busy) == [1, 2]


def test_one_replica_at_a_time(carts, age, cluster, cart_database):
    item = carts.item()
    age(item.owner, "9 days")
    sweep_one = ("SELECT last_cart, emptied FROM expire_carts(%s, 1, 3)", item.owner.id - 1)
    with cluster.connect(cart_database, autocommit=False) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('expire_carts'))")
        assert cluster.query(cart_database, *sweep_one) == [(None, 0)]
        assert products(carts, item.owner) == [1]
        other.commit()
    assert cluster.query(cart_database, *sweep_one) == [(item.owner.id, 1)]
    assert products(carts, item.owner) == []
