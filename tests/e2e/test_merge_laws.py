"""Merging a guest's cart is idempotent, commutative and associative: tried with all quantities of three
products that a cart can hold and a guest can bring, by the function that the service calls."""

import itertools

QUANTITIES = list(itertools.product(range(6), repeat=3))
NUMBERS = {quantities: number for number, quantities in enumerate(QUANTITIES)}

MERGE_ALL = """
SELECT held.number, given.number, merged.product_ids, merged.quantities
FROM quantities AS held, quantities AS given, LATERAL (
    SELECT array_agg((line).product_id) AS product_ids, array_agg((line).quantity) AS quantities
    FROM merge_products(%(first)s + held.number * %(count)s + given.number,
                        given.product_ids, given.quantities, NULL)
) AS merged
ORDER BY held.number, given.number
"""


def test_merge_laws(cluster, cart_database):
    count = len(QUANTITIES)
    with cluster.connect(cart_database, autocommit=False) as session:
        products = [product for (product,) in session.execute(
            "INSERT INTO products (name, description, price) "
            "SELECT 'Product ' || number, '', 1 FROM generate_series(1, 3) AS number RETURNING id")]
        session.execute("CREATE TEMPORARY TABLE quantities "
                        "(number integer, product_ids integer[], quantities integer[])")
        for number, quantities in enumerate(QUANTITIES):
            brought = [(product, quantity) for product, quantity in zip(products, quantities)
                       if quantity > 0]
            session.execute("INSERT INTO quantities VALUES (%s, %s, %s)", (
                number, [product for product, _ in brought], [each for _, each in brought]))
        # A cart for each pair of what it holds and what it is given.
        [(first,)] = session.execute("SELECT max(user_id) + 1 FROM carts")
        session.execute("INSERT INTO carts (user_id) SELECT generate_series(%s, %s)",
                        (first, first + count**2 - 1))
        session.execute(
            "INSERT INTO cartitems (cart_id, product_id, quantity) "
            "SELECT %s + held.number * %s + given, product_id, quantity "
            "FROM quantities AS held, unnest(product_ids, quantities) AS line (product_id, quantity), "
            "generate_series(0, %s) AS given", (first, count, count - 1))
        merged = [[0] * count for _ in QUANTITIES]
        for held, given, product_ids, quantities in session.execute(
                MERGE_ALL, {"first": first, "count": count}):
            holds = dict(zip(product_ids, quantities))
            merged[held][given] = NUMBERS[
                tuple(holds.get(product, 0) for product in products)]
        session.rollback()

    numbers = range(count)
    for held, given in itertools.product(numbers, numbers):
        assert QUANTITIES[merged[held][given]] == tuple(
            map(max, QUANTITIES[held], QUANTITIES[given]))
        assert merged[merged[held][given]][given] == merged[held][given]
        assert merged[held][given] == merged[given][held]
    for one, two in itertools.product(numbers, numbers):
        # For every third: one merged with (two with the third) is (one with two) with the third.
        assert [merged[one][each] for each in merged[two]] == merged[merged[one][two]]
