"""GET /api/v1/users/list/: search and pages."""

from urllib.parse import quote

import pytest

from microcart.testing import bodies
from microcart.testing.client import FORBIDDEN

LIST = "/api/v1/users/list/"

# Emails and names that a search might mix up.
USERS = [
    {"email": "percent.sign@search.example", "first_name": "100% sure"},
    {"email": "under.score@search.example", "first_name": "snake_case"},
    {"email": "back.slash@search.example", "last_name": "back\\slash"},
    {"email": "unicode@search.example", "first_name": "Zoë", "last_name": "Ångström"},
    {"email": "Mixed.Case@search.example", "first_name": "MIXED", "last_name": "case"},
    {"email": "quote@search.example", "last_name": "O'Neil \"x\""},
]

# Search → the local parts it finds.
SEARCHES = {
    "domain": ("search.example", [user["email"].split("@")[0] for user in USERS]),
    "email": ("under.score@search", ["under.score"]),
    "email in another case": ("UNDER.SCORE@SEARCH", ["under.score"]),
    "stored in mixed case": ("mixed.case@", ["Mixed.Case"]),
    "first name": ("snake", ["under.score"]),
    "first name, case": ("SNAKE_C", ["under.score"]),
    "last name": ("o'neil", ["quote"]),
    "middle": ("ngstr", ["unicode"]),
    "unicode": ("Zoë", ["unicode"]),
    "unicode in another case": ("zoË", ["unicode"]),
    "unicode in another case, last name": ("ÅNGSTRÖM", ["unicode"]),
    "percent": ("%", ["percent.sign"]),
    "percent inside": ("0% s", ["percent.sign"]),
    "percent as a wildcard": ("per%sign", []),
    "underscore": ("_", ["under.score"]),
    "underscore as a wildcard": ("under_score", []),
    "backslash": ("\\", ["back.slash"]),
    "escaped percent": ("\\%", []),
    "quote": ("'", ["quote"]),
    "double quote": ('"x"', ["quote"]),
    "space": ("100% sure", ["percent.sign"]),
    "over two fields": ("mixedcase", []),
    "nothing": ("no such user", []),
    "256 characters": ("é" * 256, []),
}


@pytest.fixture(scope="module", autouse=True)
def users(accounts):
    return [accounts.create(**user) for user in USERS]


def local_parts(answer) -> list[str]:
    return [user["email"].split("@")[0] for user in answer.ok()]


@pytest.mark.parametrize("text, found", SEARCHES.values(), ids=SEARCHES)
def test_search(customers, admin, text, found):
    assert local_parts(customers.get(f"{LIST}?search={quote(text)}", admin)) == found


def test_plus_is_a_space(customers, admin):
    assert local_parts(customers.get(f"{LIST}?search=100%25+sure", admin)) == ["percent.sign"]


def test_all_by_id(customers, admin):
    answer = customers.get(LIST, admin)
    ids = [user["id"] for user in answer.ok()]
    assert ids == sorted(ids) and ids[:4] == [1, 2, 3, 4]
    assert len(ids) >= 4 + len(USERS)
    assert answer.body["next"] is None
    assert set(answer.data[0]) == {"id", "created", "email", "first_name", "last_name", "is_admin"}


def test_empty_search_finds_all(customers, admin):
    assert customers.get(f"{LIST}?search=", admin).ok() == customers.get(LIST, admin).ok()


@pytest.mark.parametrize("search", ["", "search.example"])
@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_pages_make_up_the_list(customers, admin, search, limit):
    whole = customers.get(f"{LIST}?search={search}", admin).ok()
    gathered, after = [], 0
    while after is not None:
        page = customers.get(f"{LIST}?search={search}&limit={limit}&after={after}", admin)
        assert 1 <= len(page.ok()) <= limit
        gathered += page.data
        after = page.body["next"]
        assert after in (None, page.data[-1]["id"])
    assert gathered == whole


def test_the_last_page_may_be_full(customers, admin):
    total = len(customers.get(LIST, admin).ok())
    assert customers.get(f"{LIST}?limit={total}", admin).body["next"] is None
    assert customers.get(f"{LIST}?limit={total - 1}", admin).body["next"] is not None


def test_after_the_last_there_is_nothing(customers, admin):
    answer = customers.get(f"{LIST}?after=2147483647", admin)
    assert (answer.ok(), answer.body["next"]) == ([], None)


def test_a_page_holds_a_thousand_unless_told_otherwise(customers, admin, cluster,
                                                       customers_database):
    cluster.query(customers_database, """
        INSERT INTO users (email, first_name, last_name, password, is_admin)
        SELECT 'many' || n || '@example.com', '', '', '!', false FROM generate_series(1, 1100) n""")
    answer = customers.get(LIST, admin)
    assert len(answer.ok()) == 1000
    rest = customers.get(f"{LIST}?after={answer.body['next']}", admin)
    assert len(rest.ok()) >= 100 and rest.body["next"] is None
    assert rest.data[0]["id"] > answer.data[-1]["id"]


@pytest.mark.parametrize("query, fields", bodies.BAD_PAGING.values(), ids=bodies.BAD_PAGING)
def test_bad_query(customers, admin, query, fields):
    customers.get(f"{LIST}?{query}", admin).invalid(fields)


def test_a_limit_past_int32_is_refused(customers, admin):
    for limit in (2**31, 2**64, 10**40):
        answer = customers.get(f"{LIST}?limit={limit}", admin)
        assert answer.status == 422, answer
        assert answer.fields["limit"] in ([bodies.LIMIT], [bodies.INTEGER])


def test_the_right_is_judged_before_the_query(customers, people):
    customers.get(f"{LIST}?limit=0", people.owner.token).refused(403, FORBIDDEN)
    customers.get(f"{LIST}?limit=0").refused(401, "401: Missing authorization token")
