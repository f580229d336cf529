"""Carts that are spread over partitions by their user's id: the conversion keeps everything, and each
statement of a user's request finds its rows in one partition of each table."""

import json
import re
import subprocess

import pytest

from microcart import ROOT
from microcart.services import build_directory
from microcart.testing.client import Client
from microcart.testing.cluster import SERVING_ROLE
from microcart.testing.service import run

TABLES = ("carts", "cartitems", "checkouts", "checkout_lines")
PARTITIONS = 16
OWNER = {"carts": "user_id", "cartitems": "cart_id", "checkouts": "user_id",
         "checkout_lines": "user_id"}
# Of the lane of reads by key (platform/postgres/session.cpp).
KEY_READ = ["enable_seqscan", "enable_hashjoin", "enable_mergejoin"]

CART = 1005
FILL = """
SELECT count(*)
FROM generate_series(1001, 1100) AS cart, (SELECT id FROM products ORDER BY id DESC LIMIT 3) AS product,
    put_product(cart, product.id, 1 + cart % 5, NULL);
"""
SHOPPING = f"""
INSERT INTO products (name, description, price, stock)
SELECT 'Lamp ' || n, '', n, 1000 FROM generate_series(1, 10) AS n;
{FILL}
SELECT count(*) FROM generate_series(1001, 1050) AS cart, check_out(cart, '{{*}}');
{FILL}
SELECT number_checkouts(0);
SELECT count(*) FROM generate_series(1001, 1010) AS cart, check_out(cart, '{{*}}');
{FILL}
"""


def migrate(cart_binary, cluster, database, *arguments):
    return run(cart_binary, "migrate", *arguments, environment=cluster.environment(database))


@pytest.fixture(scope="module", params=["new", "taken over"])
def before_and_after(request, cluster, cart_binary):
    """A database with partitions, and what was in it before it had any."""
    name = cluster.create(f"partitions_{request.param_index}")
    if request.param == "taken over":
        cluster.restore(name, ROOT / "tests/fixtures/reference/cart.sql")
    done = migrate(cart_binary, cluster, name, "up", "--demo")
    assert done.returncode == 0, done.stdout + done.stderr
    with cluster.connect(name) as connection:
        connection.execute(SHOPPING)
    before = contents(cluster, name)
    cluster.partition(name)
    yield name, before
    cluster.drop(name)


def contents(cluster, database) -> dict[str, list[tuple]]:
    """What programs see: rows, views, columns, sequences, rights."""
    def rows(statement):
        return sorted(map(str, cluster.query(database, statement)))

    seen = {table: rows(f"SELECT * FROM {table}")
            for table in (*TABLES, "products", "cart_lines", "checkout_rows")}
    seen["migrations"] = rows("SELECT version, name, checksum FROM schema_migrations")
    seen["columns"] = rows(f"""
        SELECT table_name, ordinal_position, column_name, data_type, is_nullable, column_default
        FROM information_schema.columns WHERE table_name IN {(*TABLES, "cart_lines", "checkout_rows")}""")
    seen["sequences"] = rows(
        "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'")
    seen["owners of sequences"] = rows("""
        SELECT objid::regclass, refobjid::regclass, refobjsubid FROM pg_depend
        WHERE deptype = 'a' AND objid IN (SELECT oid FROM pg_class WHERE relkind = 'S')""")
    seen["rights"] = rows(f"""
        SELECT relname, privilege, has_table_privilege('{SERVING_ROLE}', oid, privilege), relowner
        FROM pg_class, unnest('{{SELECT, INSERT, UPDATE, DELETE, TRUNCATE}}'::text[]) AS privilege
        WHERE relname IN {(*TABLES, "cart_lines", "checkout_rows")}""")
    return seen


def test_the_conversion_keeps_everything(cluster, before_and_after):
    database, before = before_and_after
    assert len(before["checkout_lines"]) >= 180
    after = contents(cluster, database)
    for kind, rows in before.items():
        assert after[kind] == rows, kind


def test_every_table_has_its_partitions(cluster, before_and_after):
    database, _ = before_and_after
    assert sorted(cluster.query(database, """
        SELECT parent.relname, pg_get_partkeydef(parent.oid), count(*)
        FROM pg_inherits JOIN pg_class AS parent ON parent.oid = inhparent
        WHERE parent.relkind = 'p' GROUP BY parent.oid, parent.relname""")) == sorted(
            (table, f"HASH ({OWNER[table]})", PARTITIONS) for table in TABLES)


def test_every_key_contains_the_users_id(cluster, before_and_after):
    """Also the foreign keys among them; a product is no cart's."""
    database, _ = before_and_after
    keys = cluster.query(database, f"""
        SELECT conname, conrelid::regclass::text, array_agg(attname::text)
        FROM pg_constraint
        JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
        WHERE conrelid::regclass::text IN {TABLES} AND contype IN ('p', 'u', 'f')
            AND conparentid = 0
        GROUP BY conname, conrelid""")
    assert {name for name, table, columns in keys if OWNER[table] not in columns} == {
        "fk__cartitems__product_id__products"}
    assert len(keys) == 9


def test_every_index_has_its_successor(cluster, before_and_after, cart_binary):
    """Of the schema without partitions: the conversion follows when a migration adds an index."""
    database, _ = before_and_after
    plain = cluster.create("partitions_plain")
    assert migrate(cart_binary, cluster, plain, "up").returncode == 0

    def indexes(where):
        return cluster.query(where, f"""
            SELECT indrelid::regclass::text, array_agg(attname::text)
            FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
            WHERE indrelid::regclass::text IN {TABLES}
            GROUP BY indrelid, indexrelid""")

    there = indexes(database)
    for table, columns in indexes(plain):
        assert any(table == other and set(columns) <= set(found) for other, found in there), (
            table, columns)
    cluster.drop(plain)


def test_migrations_find_it_up_to_date(cluster, before_and_after, cart_binary):
    database, before = before_and_after
    for command in ("up", "status"):
        done = migrate(cart_binary, cluster, database, command)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "pending" not in done.stdout
    assert contents(cluster, database) == before


def test_going_down_changes_nothing(cluster, before_and_after, cart_binary):
    """The last migrations are of products. Those before are of carts, and are refused."""
    database, before = before_and_after
    assert migrate(cart_binary, cluster, database, "to", "14").returncode == 0
    at_carts = contents(cluster, database)
    done = migrate(cart_binary, cluster, database, "down")
    assert done.returncode != 0
    assert contents(cluster, database) == at_carts
    assert migrate(cart_binary, cluster, database, "up").returncode == 0
    assert contents(cluster, database) == before


def test_a_second_conversion_changes_nothing(cluster, before_and_after):
    database, before = before_and_after
    with pytest.raises(AssertionError, match="already|exists|partitioned"):
        cluster.partition(database)
    assert contents(cluster, database) == before


def test_a_service_is_ready_and_shops(
        cluster, before_and_after, cart_binary, cart_environment, customers_service, accounts,
        start_service):
    database, _ = before_and_after
    service = start_service(cart_binary, cart_environment(database, customers_service.grpc_port))
    client = Client(service.url)
    shopper = accounts.create()
    path = f"/api/v1/cart/{shopper.id}/"
    [line] = client.put(f"{path}products/1/", shopper.token, {"quantity": 2}).ok()["cart_items"]
    client.patch(f"/api/v1/cart-item/{line['id']}/", shopper.token, {"quantity": 3}).ok()
    assert cluster.query(
        database, "SELECT product_id, quantity FROM cartitems WHERE cart_id = %s", shopper.id) == [(1, 3)]
    client.close()
    service.stop()


# Statement → arguments. {tag} is the cart's entity tag, {item} one of its items, {product} the item's
# product, {other} another product, {checkout} a checkout of the cart.
HOT = {
    "find_cart": "'{{{cart}}}'",
    "read_cart": "'{{{cart}}}'",
    "read_cart_or_empty": "'{{{cart}}}'",
    "create_cart": "3000",
    "clear_cart": "{cart}, '{tag}'",
    "find_item": "'{{{cart}}}', '{{{item}}}'",
    "add_item": "{cart}, {other}, 1, '{tag}'",
    "change_item": "{cart}, {item}, 3, '{tag}'",
    "remove_item": "{cart}, {item}, '{tag}'",
    "put_product": "{cart}, {product}, 3, '{tag}'",
    "add_product": "{cart}, {other}, 1, '{tag}'",
    "merge_products": "{cart}, '{{{product},{other}}}', '{{4,1}}', '{tag}'",
    "check_out": "{cart}, '{tag}'",
    "find_checkout": "'{{{cart}}}', '{{{checkout}}}'",
    "find_checkout_of_cart": "'{{{cart}}}', '{{{checkout}}}'",
    "list_checkouts_of_cart": "{cart}, 0, 20",
}
# Of administrators, and in the background.
OF_ALL_CARTS = {
    "find_cart_of_item": "'{{{item}}}'",
    "find_cart_of_checkout": "'{{{checkout}}}'",
    "number_checkouts": "0",
    "list_checkouts": "0, 20",
    "expire_carts": "0, 200, 1",
}


@pytest.fixture(scope="module")
def statements() -> dict:
    printed = json.loads(subprocess.run([build_directory() / "bench/bench_statements"], check=True,
                                        capture_output=True).stdout)
    return printed["stores"]["cart"] | printed["stores"]["checkouts"] | {
        "erase_cart": {"sql": "SELECT erase_cart($1, $2, $3)", "keys": 0}}


def test_every_statement_is_known(statements):
    assert sorted(statements) == sorted([*HOT, *OF_ALL_CARTS, "erase_cart"])


class Explained:
    """Runs statements in transactions that it rolls back, and sees what they read."""

    def __init__(self, connection, mode):
        self.connection = connection
        self._plans: list[str] = []
        connection.add_notice_handler(lambda notice: self._plans.append(notice.message_primary))
        for name, value in {
                "auto_explain.log_min_duration": "0", "auto_explain.log_nested_statements": "on",
                "auto_explain.log_analyze": "on", "auto_explain.log_timing": "off",
                "auto_explain.log_format": "json", "auto_explain.log_level": "notice",
                "plan_cache_mode": mode, "jit": "off"}.items():
            connection.execute(f"SET {name} = '{value}'")

    def partitions_read(self, statement, arguments) -> dict[str, set[str]]:
        """Returns the partitions that were looked into, of each table, in the statement, in the
        functions that it calls and in the checks of foreign keys."""
        types = f"({', '.join(['integer[]'] * statement['keys'])})" if statement["keys"] else ""
        settings = KEY_READ if statement["keys"] else []
        self.connection.execute(f"PREPARE explained {types} AS {statement['sql']}")
        self._plans.clear()
        try:
            with self.connection.transaction(force_rollback=True):
                for name in settings:
                    self.connection.execute(f"SET LOCAL {name} = off")
                self.connection.execute(f"EXECUTE explained ({arguments})")
        finally:
            self.connection.execute("DEALLOCATE explained")
        read: dict[str, set[str]] = {}
        for message in self._plans:
            if "plan:" in message:
                _collect(json.loads(message.split("plan:", 1)[1])["Plan"], read)
        return read


def _collect(node: dict, read: dict[str, set[str]]) -> None:
    partition = re.fullmatch(r"(\w+)_(\d\d)", node.get("Relation Name", ""))
    if partition and partition[1] in TABLES and "Scan" in node["Node Type"] and node["Actual Loops"]:
        read.setdefault(partition[1], set()).add(partition[2])
    for child in node.get("Plans", []):
        _collect(child, read)


@pytest.fixture(params=["force_generic_plan", "force_custom_plan"])
def explained(request, cluster, before_and_after):
    with cluster.connect(before_and_after[0]) as connection:
        connection.execute("LOAD 'auto_explain'")
        yield Explained(connection, request.param)


@pytest.fixture
def values(cluster, before_and_after):
    database, _ = before_and_after
    [(item, product, tag)] = cluster.query(
        database, "SELECT id, product_id, etag FROM cart_lines WHERE user_id = %s ORDER BY id LIMIT 1",
        CART)
    [(checkout,)] = cluster.query(
        database, "SELECT max(id) FROM checkouts WHERE user_id = %s", CART)
    return {"cart": CART, "item": item, "product": product, "checkout": checkout, "other": 1,
            "tag": "{" + json.dumps(tag) + "}"}


@pytest.mark.parametrize("name", HOT)
def test_a_users_statement_reads_one_partition(explained, statements, values, name):
    read = explained.partitions_read(statements[name], HOT[name].format(**values))
    if name != "create_cart":  # It only inserts.
        assert read
    assert {table: len(partitions) for table, partitions in read.items()} == dict.fromkeys(read, 1)
    # A cart, its items and its checkouts are in the same one.
    assert len(set().union(*read.values())) <= 1


def test_erasing_a_cart_reads_one_partition(explained, cluster, before_and_after, statements):
    [(position,)] = cluster.query(before_and_after[0], "SELECT position FROM erasure_cursor")
    read = explained.partitions_read(
        statements["erase_cart"], f"{CART}, {position}, {position + 1}")
    assert [len(partitions) for partitions in read.values()] == [1]


@pytest.mark.parametrize("name", OF_ALL_CARTS)
def test_an_administrators_statement_reads_all(explained, statements, values, name):
    """So the tests above can fail."""
    read = explained.partitions_read(statements[name], OF_ALL_CARTS[name].format(**values))
    assert max(map(len, read.values())) > 1


def test_several_carts_in_one_statement_read_their_partitions(explained, statements):
    read = explained.partitions_read(statements["read_cart"], "'{1001,1002,1003,1004}'")
    assert 1 < len(read["carts"]) <= 4
    assert read["cartitems"] == read["carts"]
