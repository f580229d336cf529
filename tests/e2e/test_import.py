"""`cart products import` and `export`: the catalogue as CSV."""

import contextlib
import os
import pty
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from microcart.waiting import eventually

HEADER = "sku,name,description,price,image_url,stock,is_active\n"
CREATE = "/api/v1/products/create/"
ALL = "/api/v1/products/all/"
REQUIRED = "Missing data for required field."
TAKEN_LATE = ("cart: nothing was imported, because another session has used one of the SKUs "
              "meanwhile. Try again.\n")


@pytest.fixture
def database(cluster, cart_template):
    """Only the demo products, which have no SKU."""
    name = cluster.create("cart_import", cart_template)
    yield name
    cluster.drop(name)


@pytest.fixture
def command(cart_binary, cluster, database):
    def start(*arguments: str, **options) -> subprocess.Popen:
        return subprocess.Popen([cart_binary, "products", *arguments], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE,
                                env=cluster.environment(database),
                                **{"stderr": subprocess.PIPE, **options})

    def products(*arguments: str, stdin: str | bytes = b"", code: int = 0) -> tuple[bytes, str]:
        """Returns what the command printed."""
        process = start(*arguments)
        printed, errors = process.communicate(
            stdin if isinstance(stdin, bytes) else stdin.encode(), timeout=60)
        assert process.returncode == code, (printed, errors)
        return printed, errors.decode()

    products.start = start
    return products


@pytest.fixture
def rows(cluster, database):
    """Returns all products that have an SKU, without their ids and times."""
    def fetch() -> list[tuple]:
        return [tuple(row) for row in cluster.query(
            database, "SELECT sku, name, description, price::text, image_url, stock, is_active "
                      "FROM products WHERE sku IS NOT NULL ORDER BY id")]
    return fetch


def done(created: int = 0, updated: int = 0, unchanged: int = 0) -> bytes:
    return f"{created} products created, {updated} updated, {unchanged} unchanged\n".encode()


def test_products_are_created(command, rows):
    csv = HEADER + "LAMP-1,Desk lamp,It is bright.,24.9,https://shop.example/lamp.jpg,12,true\n" \
                   "stool,Stool,,5,,,no\n"
    assert command("import", "-", stdin=csv) == (done(created=2), "")
    assert rows() == [
        ("LAMP-1", "Desk lamp", "It is bright.", "24.90", "https://shop.example/lamp.jpg", 12, True),
        ("stool", "Stool", "", "5.00", None, None, False)]


def test_columns_may_be_missing_and_in_any_order(command, rows):
    command("import", "-", stdin="price,sku,name\n1,a,A\n")
    assert rows() == [("a", "A", "", "1.00", None, None, True)]
    command("import", "-", stdin="stock,sku\n7,A\n")  # Also changes the SKU's spelling.
    assert rows() == [("A", "A", "", "1.00", None, 7, True)]
    assert command("import", "-", stdin="sku\nA\n") == (done(unchanged=1), "")


def test_an_empty_field_clears(command, rows):
    command("import", "-", stdin=HEADER + "a,A,Text,1,http://h/,3,true\n")
    command("import", "-", stdin="sku,description,image_url,stock\na,,,\n")
    assert rows() == [("a", "A", "", "1.00", None, None, True)]


@pytest.fixture
def difficult(cluster, database) -> None:
    cluster.query(database, r"""
        INSERT INTO products (name, description, price, sku, image_url, stock, is_active) VALUES
            (E'Two\nlines', E'a "quoted", text\r\nand\ttab \\ \\N \\.', 0.125, 'd-1', NULL, NULL, true),
            ('\.', E'\\.\n\\.', 1, 'd-2', 'https://h/?a=b,c', 0, false),
            (' spaces ', '', 2.5, 'D_3.x', NULL, 2147483647, true),
            ('☃ Ångström', E'\n', 9999999999.99, 'd-4', NULL, 1, true)""")


def test_import_of_an_export_changes_nothing(command, cluster, database, difficult, tmp_path):
    def whole() -> list:
        return cluster.query(database, "SELECT xmin::text, * FROM products ORDER BY id")

    before = whole()
    exported, note = command("export")
    assert note == "cart: left out 4 products without an SKU\n"
    (tmp_path / "products.csv").write_bytes(exported)
    assert command("import", str(tmp_path / "products.csv")) == (done(unchanged=4), "")
    assert whole() == before  # No row was written.
    assert command("export")[0] == exported
    # In an empty store it creates the same products.
    cluster.query(database, "DELETE FROM products WHERE sku IS NOT NULL")
    assert command("import", "-", stdin=exported) == (done(created=4), "")
    assert command("export")[0] == exported


def test_only_what_differs_is_written(command, cluster, database, difficult):
    exported, _ = command("export")
    before = dict(cluster.query(database, "SELECT sku, id FROM products WHERE sku IS NOT NULL"))
    changed = exported.replace(b" spaces ", b"no spaces") + b'new,New,"",1.00,,,true\n'
    assert command("import", "-", stdin=changed) == (
        done(created=1, updated=1, unchanged=3), "")
    after = dict(cluster.query(database, "SELECT sku, id FROM products WHERE sku IS NOT NULL"))
    assert before.items() <= after.items()
    assert command("export")[0] == changed


BAD_LINES = {
    "empty": ("", [(1, "The file is empty.")]),
    "no sku": ("name,price\n", [(1, 'The column "sku" is missing.')]),
    "unknown column": ("sku,colour\n", [(1, 'There is no column "colour".')]),
    "column twice": ("sku,name,sku\n", [(1, 'The column "sku" is there twice.')]),
    "id": ("id,sku\n", [(1, 'There is no column "id".')]),
    "fields": (HEADER + "a,A,,1\n\nb,B,,1,,,true,x\n", [
        (2, "It has 4 fields, but the first line has 7."),
        (4, "It has 8 fields, but the first line has 7.")]),
    "values": (HEADER + ",,,x,lamp.jpg,-1,maybe\nok,Ok,,1,,,true\nb b,B,,1.234,,1.5,\n", [
        (2, "sku: Not a valid SKU. name: Length must be between 1 and 256. "
            "price: Not a valid price. image_url: Not a valid URL. "
            "stock: Must be greater than or equal to 0. is_active: Not a valid boolean."),
        (4, "sku: Not a valid SKU. price: Not a valid price. stock: Not a valid integer. "
            "is_active: Not a valid boolean.")]),
    "lines behind a field of several": (HEADER + 'a,"A\nB",,1,,,true\nb,,,1,,,true\n', [
        (4, "name: Length must be between 1 and 256.")]),
    "sku twice": (HEADER + "a,A,,1,,,true\nb,B,,1,,,true\nA,A,,1,,,true\na,A,,1,,,true\n", [
        (4, "sku: The same as in line 2."), (5, "sku: The same as in line 2.")]),
    "quotes": (HEADER + 'a,A "b",,1,,,true\nb,"B"x,,1,,,true\nc,C,,-1,,,true\nd,"D\n', [
        (2, "There is a quotation mark within a field that is not quoted."),
        (3, "There is text behind a closing quotation mark."), (4, "price: Not a valid price."),
        (5, "A quotation mark is not closed.")]),
    "text": (HEADER.encode() + b"a,\xff,,1,,,true\nb,B\0,,1,,,true\n", [
        (2, "name: Not a valid string."), (3, "name: Not a valid string.")]),
    "new without a price": ("sku,name\na,A\nb,B\n", [
        (2, f"price: {REQUIRED}"), (3, f"price: {REQUIRED}")]),
    "of all kinds": ("sku,price\na,1\na,1\nb,x\n", [
        (2, f"name: {REQUIRED}"), (3, f"name: {REQUIRED}"), (3, "sku: The same as in line 2."),
        (4, "price: Not a valid price.")]),
}


@pytest.mark.parametrize("csv, bad", BAD_LINES.values(), ids=BAD_LINES)
def test_bad_lines_are_listed_and_nothing_is_imported(command, rows, csv, bad):
    _, errors = command("import", "-", stdin=csv, code=1)
    assert errors == "cart: nothing was imported, because the file has bad lines:\n" + "".join(
        f"  line {line}: {reason}\n" for line, reason in bad)
    assert rows() == []


@pytest.mark.parametrize("line", ["a,A,x", "a,A,1"], ids=["values", "skus"])
def test_a_hundred_bad_lines_are_listed(command, line):
    csv = "sku,name,price\n" + f"{line}\n" * 1001
    _, errors = command("import", "-", stdin=csv, code=1)
    lines = errors.splitlines()
    assert len(lines) == 102
    assert lines[-1] == f"  and {901 if line.endswith('x') else 900} more"


def test_a_file_that_cannot_be_read(command, tmp_path):
    missing = tmp_path / "missing.csv"
    assert command("import", str(missing), code=1)[1] == f"cart: cannot open {missing}\n"
    assert "line 1: The file cannot be read." in command("import", str(tmp_path), code=1)[1]


def test_the_database_may_be_away(cart_binary, cluster, database):
    environment = {**cluster.environment(database), "POSTGRES_DB": "missing"}
    for arguments in (["import", "-"], ["export"]):
        done = subprocess.run([cart_binary, "products", *arguments], env=environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        assert done.returncode == 1
        assert done.stderr.startswith("cart: ") and '"missing"' in done.stderr


def test_a_full_disk_is_an_error(cart_binary, cluster, database, difficult):
    with open("/dev/full", "w") as full:
        done = subprocess.run([cart_binary, "products", "export"], stdout=full, text=True,
                              stderr=subprocess.PIPE, env=cluster.environment(database), timeout=30)
    assert (done.returncode, done.stderr) == (1, "cart: the products cannot be written\n")


def test_progress_is_shown_on_a_terminal(command):
    ours, theirs = pty.openpty()
    process = command.start("import", "-", stderr=theirs)
    os.close(theirs)
    process.communicate(b"sku,name,price\n" + b"".join(b"s%d,S,1\n" % i for i in range(20_000)),
                        timeout=60)
    assert process.returncode == 0
    shown = b""
    with contextlib.suppress(OSError):  # EIO at the end, because nobody has the other side open.
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    shown = shown.decode()
    assert "products read …" in shown
    assert shown.endswith("\r\x1b[K")  # The line is cleared.


def test_imports_of_the_same_products_take_turns(command, rows):
    """Rows are locked in the order of their ids, so there is no deadlock."""
    def csv(price: int) -> str:
        lines = [f"s{i},S,{price}\n" for i in range(2_000)]
        return "sku,name,price\n" + "".join(lines if price % 2 else reversed(lines))

    command("import", "-", stdin=csv(1))
    with ThreadPoolExecutor(6) as pool:
        for printed, errors in pool.map(lambda price: command("import", "-", stdin=csv(price)),
                                        range(2, 14)):
            assert (printed, errors) == (done(updated=2_000), "")
    assert len({row[3] for row in rows()}) == 1


def test_an_sku_that_is_taken_meanwhile(command, cluster, database, rows):
    with cluster.connect(database, autocommit=False) as other:
        other.execute("INSERT INTO products (name, description, price, sku) VALUES ('', '', 1, 'b')")
        with ThreadPoolExecutor(1) as pool:
            imported = pool.submit(command, "import", "-", stdin="sku,name,price\na,A,1\nB,B,1\n",
                                   code=1)
            eventually(lambda: cluster.query(database, """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'""")[0][0] == 1)
            other.commit()
            assert imported.result() == (b"", TAKEN_LATE)
    assert [row[0] for row in rows()] == ["b"]


def test_an_import_serves_at_once(command, cart, admin, cart_service, cart_binary, cluster,
                                  cart_database):
    done = subprocess.run([cart_binary, "products", "import", "-"], text=True, capture_output=True,
                          input="sku,name,price\nimp-1,Imported kettle,12\n", timeout=60,
                          env=cluster.environment(cart_database))
    assert done.returncode == 0, done.stderr
    [product] = cart.get("/api/v1/products/list/?search=kettle").ok()
    assert (product["sku"], product["price"]) == ("imp-1", "12.00")
    cart.post(CREATE, admin, {"name": "Kettle", "price": "1", "sku": "IMP-1"}).invalid(
        {"sku": ["Product with this SKU already exists."]}, 400)


def test_memory_is_flat(command):
    """A file of many times the size does not need more memory."""
    def peak(lines: int) -> int:
        process = command.start("import", "-")
        process.stdin.write(b"sku,name,price,description\n")
        for i in range(lines):
            process.stdin.write(b"m%d,M,1,%s\n" % (i, b"x" * 2000))
        process.stdin.close()
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        process.stderr.close()
        assert status == 0
        return usage.ru_maxrss

    assert peak(20_000) < peak(1_000) + 8 * 1024  # In KiB; the file has 40 MB.


def test_an_import_that_no_standby_confirms_is_not_reported_as_done(cluster, command, rows):
    def set_standby(name: str) -> None:
        cluster.query("postgres", f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        cluster.query("postgres", "SELECT pg_reload_conf()")

    line = "T-1,Tea,,1.00,,,true\n"
    set_standby("missing")
    try:
        process = command.start("import", "-")
        process.stdin.write((HEADER + line).encode())
        process.stdin.close()

        def has_ended() -> bool:  # Others may wait for the standby too.
            cluster.query("postgres", "SELECT pg_cancel_backend(pid) "
                          "FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            return process.poll() is not None

        eventually(has_ended, 60)
        assert process.returncode == 1
        assert process.stdout.read() == b""
        assert "the products may be imported or not: committed" in process.stderr.read().decode()
    finally:
        set_standby("")
    assert len(rows()) == 1
    assert command("import", "-", stdin=HEADER + line)[0] == done(unchanged=1)
