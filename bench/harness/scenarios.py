"""The rows of the table. Each has a load, its yardstick and its budget."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.generators import (PGBENCH_CLIENTS, HttpLoad, Nginx, PasswordHashes, PgBench,
                                Validation)
from harness.stage import (PASSWORD, SESSIONS, SPARE_PRODUCTS, TOKEN_USERS, Stage, quoted,
                           shuffled)
from harness.statements import statement
from microcart.wrk import Request

PAGE = 20
# Of one product, one after the other; the last one removes it.
PUT_QUANTITIES = (3, 4, 0)
# Each occurs in a tenth of the products' names.
SEARCH_TERMS = ("chair", "table", "lamp", "shelf", "basket", "kettle", "blanket", "mirror", "clock",
                "vase")


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    load: Callable[[Stage], HttpLoad | Validation]
    yardstick: Callable[[Stage], PgBench | PasswordHashes | Nginx | Validation]
    budget: float | None = None  # Minimum ratio, as in docs/performance.md.
    has_latency: bool = True
    hashes: bool = False  # Hashes passwords, each in 19 MiB, one for each core at a time and one more.


def token_users(stage: Stage) -> list[int]:
    return shuffled(min(stage.size.users, TOKEN_USERS))


def own_load(stage: Stage, service: str, resource: str, tokens: list[str]) -> HttpLoad:
    """Each user reads the object with the user's id."""
    return HttpLoad(service,
                    [(Request("GET", f"/api/v1/{resource}/{user}/", tokens[user - 1]),)
                     for user in token_users(stage)])


def cart_load(stage: Stage) -> HttpLoad:
    return own_load(stage, "cart", "cart", stage.tokens)


def many_tokens_load(stage: Stage) -> HttpLoad:
    """Reads the same carts with several times as many tokens as the customers service remembers."""
    return HttpLoad("cart", [chain for session in range(SESSIONS) for chain in own_load(
        stage, "cart", "cart", stage.sign_tokens(stage.size.users, session)).chains])


def cart_yardstick(stage: Stage) -> PgBench:
    read = statement("cart", "read_cart")
    return PgBench("cart", [f"\\set cart random(1, {stage.size.carts})\n"
                            f"{read.with_arguments(':cart')};\n"], read)


def profile_load(stage: Stage) -> HttpLoad:
    return own_load(stage, "customers", "users", stage.tokens)


def profile_yardstick(stage: Stage) -> PgBench:
    find = statement("customers", "find_signed_in_user")
    return PgBench("customers", [f"\\set user random(1, {stage.size.users})\n"
                                 f"{find.with_arguments(':user', '-1', '1')};\n"], find)


def page_load(stage: Stage) -> HttpLoad:
    return HttpLoad("cart", [(Request("GET", f"/api/v1/products/list/?limit={PAGE}&after={after}"),)
                             for after in shuffled(stage.size.products - PAGE)[:10_000]])


def page_yardstick(stage: Stage) -> PgBench:
    page = statement("products", "list_products")
    return PgBench("cart", [f"\\set after random(1, {stage.size.products - PAGE})\n"
                            f"{page.with_arguments(':after', str(PAGE))};\n"], page)


def search_load(terms: tuple[str, ...] = SEARCH_TERMS) -> HttpLoad:
    return HttpLoad("cart", [
        (Request("GET", f"/api/v1/products/list/?limit={PAGE}&search={quoted(term)}"),)
        for term in terms])


def product_search(term: str) -> tuple[str, ...]:
    """Returns the arguments of a search for products on sale: no prices, no position."""
    return ("false", "NULL", "NULL", str(PAGE), "NULL", "NULL", term)


def search_yardstick(terms: tuple[str, ...] = SEARCH_TERMS) -> PgBench:
    # Each term has a script, because pgbench's variables are numbers, except on the command line.
    search = statement("products", "search_products_by_id")
    return PgBench(
        "cart", [f"{search.with_arguments(*product_search(f':term{number}'))};\n"
                 for number in range(len(terms))],
        search, {f"term{number}": term for number, term in enumerate(terms)})


def writes_load(stage: Stage) -> HttpLoad:
    """Adds an item, changes it and removes it: three requests that leave the data unchanged."""
    def chain(user: int) -> tuple[Request, ...]:
        token = stage.tokens[user - 1]
        product = stage.size.products - user % SPARE_PRODUCTS
        return (Request("POST", f"/api/v1/cart-item/{user}/create", token,
                        f'{{"product_id":{product},"quantity":3}}'),
                Request("PATCH", "/api/v1/cart-item/{id}/", token, '{"quantity":4}'),
                Request("DELETE", "/api/v1/cart-item/{id}/", token))
    return HttpLoad("cart", [chain(user) for user in token_users(stage)],
                    restore=_without_additions(stage))


def put_load(stage: Stage) -> HttpLoad:
    """Puts a product into a cart, changes its quantity and takes it out again by PUT."""
    def chain(user: int) -> tuple[Request, ...]:
        product = stage.size.products - user % SPARE_PRODUCTS
        return tuple(Request("PUT", f"/api/v1/cart/{user}/products/{product}/",
                             stage.tokens[user - 1], f'{{"quantity":{quantity}}}')
                     for quantity in PUT_QUANTITIES)
    return HttpLoad("cart", [chain(user) for user in token_users(stage)],
                    restore=_without_additions(stage))


def _without_additions(stage: Stage) -> str:
    """The statements that remove what a round that was cut off has left behind."""
    loaded = stage.size.carts * stage.size.items
    return f"DELETE FROM cartitems WHERE id > {loaded}; VACUUM cartitems, carts;"


def _cart_of_a_client(stage: Stage) -> str:
    """The lines of a script that choose a cart of the client's own, and a spare product."""
    last = stage.size.carts // PGBENCH_CLIENTS - 1
    first_spare = stage.size.products - SPARE_PRODUCTS + 1
    return f"""\
\\set cart :client_id + {PGBENCH_CLIENTS} * random(0, {last}) + 1
\\set product random({first_spare}, {stage.size.products})
"""


def put_yardstick(stage: Stage) -> PgBench:
    put = statement("cart", "put_product")
    script = _cart_of_a_client(stage) + "".join(
        f"{put.with_arguments(':cart', ':product', str(quantity), 'NULL')};\n"
        for quantity in PUT_QUANTITIES)
    return PgBench("cart", [script], put, requests_per_transaction=len(PUT_QUANTITIES))


def writes_yardstick(stage: Stage) -> PgBench:
    def sql(name: str, *arguments: str) -> str:
        return statement("cart", name).with_arguments(*arguments)
    # \aset keeps the last row, which is the added item's.
    script = f"""\
{_cart_of_a_client(stage)}\
{sql("find_cart", ":cart")};
{sql("add_item", ":cart", ":product", "3", "NULL")} \\aset item_
{sql("find_item", ":cart", ":item_id")};
{sql("change_item", ":cart", ":item_id", "4", "NULL")};
{sql("find_item", ":cart", ":item_id")};
{sql("remove_item", ":cart", ":item_id", "NULL")};
"""
    return PgBench("cart", [script], statement("cart", "add_item"), requests_per_transaction=3)


def login_load(stage: Stage) -> HttpLoad:
    return HttpLoad("customers", [
        (Request("POST", "/api/v1/auth/login/",
                 body=f'{{"email":"user{user}@example.com","password":"{PASSWORD}"}}'),)
        for user in token_users(stage)], connections=2 * stage.workers)


def _validation(way: str, title: str) -> Scenario:
    return Scenario(f"validate-{way}", title, lambda stage: Validation(way, "grpc"),
                    lambda stage: Validation(way, "echo"))


SCENARIOS = (
    Scenario("cart", "GET cart", cart_load, cart_yardstick, 1.0),
    Scenario("cart-tokens", "GET cart, 100,000 tokens", many_tokens_load, cart_yardstick,
             has_latency=False),
    Scenario("profile", "GET own profile", profile_load, profile_yardstick, 1.8),
    Scenario("page", "Product page of 20", page_load, page_yardstick, 1.0),
    Scenario("search", "Product search", lambda stage: search_load(),
             lambda stage: search_yardstick(), None),
    Scenario("writes", "Add, change, remove an item", writes_load, writes_yardstick, 0.7),
    Scenario("put", "Put a product, change and remove it", put_load, put_yardstick),
    Scenario("login", "Login", login_load, lambda stage: PasswordHashes(), hashes=True),
    Scenario("health", "No database: /healthz",
             lambda stage: HttpLoad("cart", [(Request("GET", "/healthz"),)]),
             lambda stage: Nginx()),
    _validation("unary", "Validation, unary"),
    _validation("stream", "Validation, stream"),
    _validation("batch", "Validation, batches"),
)
