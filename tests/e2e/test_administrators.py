"""The last administrator: can be neither demoted nor deleted, whoever tries at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import Connection

from microcart.testing import tokens
from microcart.testing.accounts import DEMO_ADMIN
from microcart.waiting import eventually

LAST = "409: The last administrator can be neither demoted nor deleted"


def path(account_id: int) -> str:
    return f"/api/v1/users/{account_id}/"


def demote(customers, account_id: int, token: str):
    return customers.patch(path(account_id), token, {"is_admin": False, "first_name": "Demoted"})


def delete(customers, account_id: int, token: str):
    return customers.delete(path(account_id), token)


@pytest.fixture
def only(cluster, customers_database):
    """Makes these accounts the only administrators; all others' rights come back afterwards."""
    def administrators() -> set[int]:
        return {row[0] for row in cluster.query(customers_database,
                                                "SELECT id FROM users WHERE is_admin")}

    def leave(*accounts) -> None:
        cluster.query(customers_database, "UPDATE users SET is_admin = (id = ANY(%s))",
                      [account.id for account in accounts])

    leave.administrators = administrators
    yield leave
    cluster.query(customers_database, "UPDATE users SET is_admin = true WHERE id = %s", DEMO_ADMIN)


@pytest.mark.parametrize("act", [demote, delete])
def test_the_last_one_stays(customers, accounts, only, act):
    last = accounts.create(is_admin=True, first_name="Last")
    only(last)
    act(customers, last.id, last.token).refused(409, LAST)
    user = customers.get(path(last.id), last.token).ok()
    assert (user["is_admin"], user["first_name"]) == (True, "Last")
    # Other changes are possible.
    customers.patch(path(last.id), last.token, {"is_admin": True, "last_name": "One"}).ok()


@pytest.mark.parametrize("act", [demote, delete])
def test_all_but_one_may_go(customers, accounts, only, act):
    first, second = (accounts.create(is_admin=True) for _ in range(2))
    only(first, second)
    assert act(customers, first.id, second.token).status in (200, 204)
    assert only.administrators() == {second.id}
    act(customers, second.id, second.token).refused(409, LAST)


@pytest.mark.parametrize("act", [demote, delete])
def test_the_last_one_may_go_when_there_is_another(customers, accounts, only, act):
    last, next_one = accounts.create(is_admin=True), accounts.create()
    only(last)
    customers.patch(path(next_one.id), last.token, {"is_admin": True}).ok()
    assert act(customers, last.id, last.token).status in (200, 204)
    assert only.administrators() == {next_one.id}


def test_a_taken_email_is_the_first_reason(customers, accounts, only):
    last, other = accounts.create(is_admin=True), accounts.create()
    only(last)
    customers.patch(path(last.id), last.token, {"is_admin": False, "email": other.email}).invalid(
        {"email": ["User with this email already exists."]}, 400)


@pytest.fixture
def let_in(cluster, customers_database):
    """Sends requests while another transaction holds the administrators' rows, lets it go on when
    all of them wait for it, and returns their answers."""
    def send(requests: list[tuple], hold: str, go_on: Callable[[Connection], None]) -> list:
        with cluster.connect(customers_database, autocommit=False) as holder, \
                ThreadPoolExecutor(len(requests)) as threads:
            holder.execute(hold)
            answers = [threads.submit(*request) for request in requests]
            # A request may be answered already, because its statement has waited for too long.
            eventually(lambda: any(answer.done() for answer in answers) or cluster.query(
                customers_database, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = "
                "'Lock' AND datname = current_database()") == [(len(requests),)])
            go_on(holder)
            return [answer.result() for answer in answers]
    return send


def in_time(attempt: Callable[[], list]) -> None:
    """Repeats an attempt until none of its requests has waited for longer than a statement may,
    which can happen on a busy machine. The attempt returns the statuses."""
    eventually(lambda: 503 not in attempt(), 60)


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("acts", [(demote, demote), (demote, delete), (delete, delete)],
                         ids=["demotions", "both", "deletions"])
@pytest.mark.parametrize("themselves", [False, True], ids=["each other", "themselves"])
def test_two_at_the_same_moment(customers, accounts, only, let_in, acts, themselves, turn):
    """Both requests have been let in when the first of them is decided. If each takes the other's
    right away, the second has none any more."""
    def attempt() -> list[int]:
        pair = [accounts.create() for _ in range(2)]
        only(*pair)
        targets = pair if themselves else reversed(pair)
        answers = let_in([(act, customers, target.id, actor.token)
                          for act, actor, target in zip(acts, pair, targets)],
                         "SELECT FROM users WHERE is_admin FOR UPDATE", Connection.rollback)
        statuses = sorted(answer.status for answer in answers)
        if 503 in statuses:
            assert len(only.administrators()) >= 1, answers
        else:
            second = 409 if themselves else 403
            assert statuses in ([200, second], [204, second]), answers
            assert len(only.administrators()) == 1
        return statuses

    in_time(attempt)


def test_a_change_of_the_same_row_meanwhile(customers, accounts, only, let_in):
    """The rows that the statement has seen are not those that it finds when the lock is free."""
    def attempt() -> list[int]:
        pair = [accounts.create() for _ in range(2)]
        only(*pair)

        def demote_the_other(holder: Connection) -> None:
            holder.execute("UPDATE users SET is_admin = false WHERE id = %s", [pair[1].id])
            holder.commit()

        [answer] = let_in([(demote, customers, pair[0].id, pair[0].token)],
                          "UPDATE users SET last_name = 'Changed' WHERE is_admin", demote_the_other)
        if answer.status != 503:
            answer.refused(409, LAST)
        assert only.administrators() == {pair[0].id}
        return [answer.status]

    in_time(attempt)


def test_others_are_deleted_without_looking_for_administrators(customers, accounts, cluster,
                                                               customers_database):
    """The other administrators' rows are locked only for a deletion of one of them."""
    account = accounts.create()
    with cluster.connect(customers_database, autocommit=False) as holder:
        holder.execute("SELECT FROM users WHERE is_admin AND id <> %s FOR UPDATE", [DEMO_ADMIN])
        customers.delete(path(account.id), account.token).ok(204)
        other = accounts.create()
        customers.patch(path(other.id), tokens.bearer(DEMO_ADMIN), {"first_name": "New"}).ok()
