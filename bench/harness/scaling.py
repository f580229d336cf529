"""Measures how speed changes with the number of rows, clients and items."""

import hashlib
import math
import re
import statistics

from harness import scenarios
from harness.generators import HttpLoad, Outcome, PgBench
from harness.measure import Pace, Progress, alternate, spread
from harness.report import Table, number, verdict, with_spread
from harness.scenarios import PAGE
from harness.stage import Size, Stage, quoted
from harness.statements import statement
from microcart.wrk import Request

ROWS = (1_000, 100_000, 1_000_000)
ITEMS = (1, 50, 500)
# Maximum ratio of a page's or search's time at the most rows to the time at the fewest.
BUDGET = 2
CONNECTIONS = 16
LOAD_SECONDS = {1_000: 5, 100_000: 15, 1_000_000: 120}
# The loads for each number of rows.
LOADS = 12

# Products are named "Red lamp of wood <md5 of the id>", users "Ada <eight digits of the md5>".
RARE = tuple(hashlib.md5(str(i).encode()).hexdigest()[:8] for i in range(1, 11))
PRODUCT_TERMS = {"one row": RARE, "a tenth of the rows": scenarios.SEARCH_TERMS,
                 "the newest tenth": ("novelty",), "all rows": ("wood",)}
USER_TERMS = {"one row": RARE, "an eighth of the rows": ("Ada", "Grace", "Alan", "Edsger"),
              "all rows": ("example",)}
# Each of these searches takes at most so long at the most rows, in every order.
SEARCH_BUDGET_MS = 50
SEARCHES = {"one row": RARE[0], "a tenth of the rows": "lamp", "the newest tenth": "novelty",
            "the last names": "small", "all rows": "wood", "no row": "zzyzx",
            "no row, of common parts": "lampchairs", "no row, of common words": "wood lamp",
            "a part of many rows' codes": "abcd", "two letters, all rows": "of",
            "two letters, no row": "zq", "one letter, no row": "%"}
# Orders of a list, with the ends of their statements' names; and a filter that a third of the
# products pass.
SORTS = {"id": "id", "price": "price", "-price": "price_down", "name": "name", "-name": "name_down"}
PRICES = ("50.00", "120.00")
REPETITIONS = 5


def users_load(stage: Stage, query: str) -> HttpLoad:
    return HttpLoad("customers", [(Request("GET", f"/api/v1/users/list/?limit={PAGE}&{query}",
                                           stage.tokens[0]),)], CONNECTIONS)


def user_search(stage: Stage, terms: tuple[str, ...]) -> HttpLoad:
    return HttpLoad("customers", [chain for term in terms
                                  for chain in users_load(stage, f"search={quoted(term)}").chains],
                    CONNECTIONS)


def product_page(after: int) -> HttpLoad:
    return HttpLoad("cart", [(Request(
        "GET", f"/api/v1/products/list/?limit={PAGE}&after={after}"),)], CONNECTIONS)


def login_lookup(rows: int) -> PgBench:
    find = statement("customers", "find_credentials_by_email")
    emails = {f"email{i}": f"USER{1 + i * (rows - 1) // 19}@example.com" for i in range(20)}
    return PgBench("customers", [f"{find.with_arguments(f':{name}')};\n" for name in emails], find,
                   emails)


def loads(stage: Stage, rows: int) -> dict[str, HttpLoad | PgBench]:
    found: dict[str, HttpLoad | PgBench] = {
        "products, first page": product_page(0),
        "products, last page": product_page(rows - PAGE)}
    for name, terms in PRODUCT_TERMS.items():
        load = scenarios.search_load(terms)
        found[f"products, search for {name}"] = HttpLoad("cart", load.chains, CONNECTIONS)
    found["users, first page"] = users_load(stage, "after=0")
    found["users, last page"] = users_load(stage, f"after={rows - PAGE}")
    for name, terms in USER_TERMS.items():
        found[f"users, search for {name}"] = user_search(stage, terms)
    found["login's look-up by email (pgbench)"] = login_lookup(rows)
    return found


def list_time(stage: Stage, sort: str, term: str | None, prices: tuple[str, str] | None,
              scope: str) -> float:
    """Returns the median time in ms of a list of products, which is the service's statement."""
    arguments = list(scenarios.product_search(f"'{term or ''}'"))
    arguments[0] = scope
    if prices:
        arguments[4:6] = [f"'{price}'" for price in prices]
    is_list = term is None and (prices is None or "price" in sort)
    name = f"{'list' if is_list else 'search'}_products_by_{SORTS[sort]}"
    explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement('products', name).with_arguments(*arguments)};"
    # Of one session, whose first call also makes the plans of the function.
    plans = stage.psql("cart", explain * (1 + REPETITIONS), stage.session_environment("cart"))
    times = [float(time) for time in re.findall(r'"Execution Time": ([\d.]+)', plans)]
    return statistics.median(times[1:])


def sorted_lists(stage: Stage) -> Table:
    """Returns times of lists in every order, with and without a search and prices."""
    table = [["search for", "prices", *SORTS, f"≤ {SEARCH_BUDGET_MS}"]]
    for name, term in {"–": None, **SEARCHES}.items():
        for prices in (None, PRICES):
            times = {sort: [list_time(stage, sort, term, prices, scope)
                            for scope in ("false", "true")] for sort in SORTS}
            table.append([f"{name}: {term}" if term else name, "–".join(prices or ("any",)),
                          *(" / ".join(map(number, each)) for each in times.values()),
                          verdict(max(map(max, times.values())) <= SEARCH_BUDGET_MS)])
    return table


def median_rate(stage: Stage, load: HttpLoad | PgBench, pace: Pace) -> dict[str, float]:
    load.measure(stage, pace.warm_up)
    outcomes: list[Outcome] = [load.measure(stage, pace.seconds) for _ in range(pace.rounds)]
    return spread([each.per_second for each in outcomes])


def seconds(pace: Pace) -> float:
    per_load = pace.warm_up + pace.rounds * pace.seconds
    return (sum(LOAD_SECONDS.values()) + len(ROWS) * LOADS * per_load
            + len(ITEMS) * (2 * per_load + LOAD_SECONDS[1_000]))


def by_rows(stage: Stage, pace: Pace,
            progress: Progress) -> tuple[list[tuple[str, Table]], dict[str, list[dict]]]:
    """Returns tables, and the rates of each load in the order of ROWS."""
    rates: dict[str, list[dict[str, float]]] = {}
    for rows in ROWS:
        progress.step(f"loading {rows:,} products and users", LOAD_SECONDS[rows])
        stage.stop_services()
        stage.load(Size(users=rows, carts=1_000, products=rows))
        stage.start_services()
        for name, load in loads(stage, rows).items():
            progress.step(f"{rows:,} rows: {name}", pace.warm_up + pace.rounds * pace.seconds)
            rates.setdefault(name, []).append(median_rate(stage, load, pace))
    lists = sorted_lists(stage)
    table = [["requests/s", *(f"{rows:,} rows" for rows in ROWS),
              f"time at {ROWS[-1]:,} / {ROWS[0]:,}", f"≤ {BUDGET}"]]
    for name, each in rates.items():
        # Possibly no request was answered in time.
        slower = each[0]["median"] / each[-1]["median"] if each[-1]["median"] else math.inf
        table.append([name, *(with_spread(rate) for rate in each), number(slower),
                      verdict(slower <= BUDGET)])
    return [("Rows", table),
            (f"Lists of products at {ROWS[-1]:,} rows: those on sale / all, ms", lists)], rates


def by_items(stage: Stage, pace: Pace, progress: Progress) -> list[tuple[str, Table]]:
    table = [["items in the cart", "GET cart/s", "pgbench/s", "ratio"]]
    for items in ITEMS:
        progress.step(f"loading carts of {items}", LOAD_SECONDS[1_000])
        stage.stop_services()
        stage.load(Size(users=1_000, carts=1_000, items=items))
        stage.start_services()
        load, yardstick = scenarios.cart_load(stage), scenarios.cart_yardstick(stage)
        pairs = []
        progress.step(f"GET cart of {items}: warming up", pace.warm_up)
        load.measure(stage, pace.warm_up)
        for round_number in range(1, pace.rounds + 1):
            progress.step(f"GET cart of {items}: round {round_number}", 2 * pace.seconds)
            bare, full = alternate(round_number, lambda: yardstick.measure(stage, pace.seconds),
                                   lambda: load.measure(stage, pace.seconds))
            pairs.append((full.per_second, bare.per_second))
        table.append([str(items), with_spread(spread([rate for rate, _ in pairs])),
                      with_spread(spread([bare for _, bare in pairs])),
                      with_spread(spread([rate / bare for rate, bare in pairs]))])
    return [("Items in a cart", table)]


def measure(stage: Stage, pace: Pace, progress: Progress) -> dict:
    tables, rates = by_rows(stage, pace, progress)
    return {"rows": ROWS, "rates": rates, "tables": tables + by_items(stage, pace, progress)}
