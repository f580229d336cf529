"""The feed of deleted users: each deletion is recorded with its commit, and streamed in that order."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from microcart.testing import protos
from microcart.testing.service import Service
from microcart.waiting import eventually

METHOD = "/customers.v1.UserDeletions/StreamDeletions"
LAST = "409: The last administrator can be neither demoted nor deleted"


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    return protos.generate("customers/v1/user_deletions.proto", tmp_path_factory.mktemp("proto"))


class Feed:
    """A client of the feed; a context manager."""

    def __init__(self, messages, service: Service, peer):
        self._messages = messages
        self._channel = protos.channel(service.grpc_port, peer.ca, peer)
        self._call = self._channel.unary_stream(
            METHOD, request_serializer=messages.StreamDeletionsRequest.SerializeToString,
            response_deserializer=messages.StreamDeletionsResponse.FromString)

    def __enter__(self) -> "Feed":
        return self

    def __exit__(self, *_) -> None:
        self._channel.close()

    def open(self, after: int = 0, seconds: float = 60):
        return self._call(self._messages.StreamDeletionsRequest(after=after), timeout=seconds)

    def read_all(self, after: int = 0) -> list[tuple[int, int]]:
        """Returns position and user of all deletions that the service knows."""
        stream = self.open(after)
        found = []
        for message in stream:
            found += [(deletion.position, deletion.user_id) for deletion in message.deletions]
            if message.is_caught_up:
                stream.cancel()
                return found
        raise AssertionError("the stream has ended")

    def refusal(self, after: int = 0) -> grpc.StatusCode:
        """Returns the status of a stream that must bring nothing."""
        try:
            message = next(self.open(after))
        except grpc.RpcError as error:
            return error.code()
        raise AssertionError(f"received {message}")


@pytest.fixture(scope="module")
def feed(messages, customers_service, certificates):
    with Feed(messages, customers_service, certificates.cart) as client:
        yield client


@pytest.fixture
def recorded(cluster, customers_database):
    """Returns the users whose deletion was recorded since the start of the test, in the feed's order."""
    [(start,)] = cluster.query(customers_database,
                               "SELECT coalesce(max(position), 0) FROM deletions")
    return lambda: [row[0] for row in cluster.query(
        customers_database,
        "SELECT user_id FROM deletions WHERE position > %s ORDER BY position", start)]


def path(user: int) -> str:
    return f"/api/v1/users/{user}/"


def test_whoever_deletes_it_is_recorded(customers, accounts, admin, cluster, customers_database,
                                        recorded):
    first, second, third, *others = [accounts.create() for _ in range(6)]
    customers.delete(path(second.id), second.token).ok(204)
    customers.delete(path(first.id), admin).ok(204)
    # The statement of the version before, and one for several users.
    cluster.query(customers_database, "DELETE FROM users WHERE id = %s", third.id)
    cluster.query(customers_database, "DELETE FROM users WHERE id = ANY(%s)",
                  [other.id for other in others])
    assert recorded() == [second.id, first.id, third.id, *(other.id for other in others)]


def test_what_is_not_deleted_is_not_recorded(customers, accounts, admin, cluster,
                                             customers_database, recorded):
    account = accounts.create()
    customers.delete(path(999_999_999), admin).refused(404, "404: Not Found")
    with cluster.connect(customers_database, autocommit=False) as connection:
        connection.execute("DELETE FROM users WHERE id = %s", [account.id])
        connection.rollback()
    for other in cluster.query(customers_database, "SELECT id FROM users WHERE is_admin AND id <> 1"):
        customers.patch(path(other[0]), admin, {"is_admin": False}).ok()
    customers.delete(path(1), admin).refused(409, LAST)
    assert recorded() == []


def test_it_holds_nothing_but_numbers_and_times(cluster, customers_database):
    assert cluster.query(customers_database, """
        SELECT column_name, data_type FROM information_schema.columns
        WHERE table_name = 'deletions' ORDER BY ordinal_position""") == [
            ("position", "bigint"), ("user_id", "integer"),
            ("created", "timestamp with time zone")]


def test_a_stream_brings_all_and_then_each_further_one(feed, customers, accounts):
    before = feed.read_all()
    accounts.delete(accounts.create())
    after = feed.read_all()[len(before)][0]
    stream = feed.open(after)
    assert next(stream).is_caught_up
    new = [accounts.delete(accounts.create()).id for _ in range(3)]
    found = []
    while len(found) < 3:
        found += [deletion.user_id for deletion in next(stream).deletions]
    assert found == new
    stream.cancel()


def test_a_stream_resumes_behind_any_position(feed, accounts):
    for _ in range(3):
        accounts.delete(accounts.create())
    everything = feed.read_all()
    assert everything == sorted(everything)
    for number, (position, _) in enumerate(everything):
        assert feed.read_all(position) == everything[number + 1:]


@pytest.mark.parametrize("change", [-1, 1])
def test_an_unknown_position(feed, accounts, change):
    accounts.delete(accounts.create())
    assert feed.refusal(feed.read_all()[-1][0] + change) == grpc.StatusCode.OUT_OF_RANGE


def test_more_than_a_page(feed, cluster, customers_database):
    before = len(feed.read_all())
    cluster.query(customers_database, """
        INSERT INTO users (email, first_name, last_name, password, is_admin)
        SELECT 'many' || n || '@example.com', '', '', '', false FROM generate_series(1, 1234) AS n""")
    cluster.query(customers_database, "DELETE FROM users WHERE email LIKE 'many%%'")
    found = feed.read_all()[before:]
    assert len(found) == 1234
    assert found == sorted(found)
    assert [user for _, user in found] == sorted(user for _, user in found)


def test_a_deletion_waits_for_an_earlier_one_alone(customers, accounts, cluster,
                                                   customers_database, recorded):
    """Two deletions take turns until the commit, and long transactions of others are of no
    consequence."""
    first, second = accounts.create(), accounts.create()
    with cluster.connect(customers_database, autocommit=False) as other, \
            cluster.connect(customers_database, autocommit=False) as holder, \
            ThreadPoolExecutor(1) as thread:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("INSERT INTO users (email, first_name, last_name, password, is_admin) "
                      "VALUES ('long@example.com', '', '', '', false)")
        other.execute("SELECT count(*) FROM deletions")

        holder.execute("DELETE FROM users WHERE id = %s", [first.id])
        later = thread.submit(customers.delete, path(second.id), second.token)
        eventually(lambda: later.done() or cluster.query(
            customers_database, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' "
            "AND datname = current_database()"))
        # Its deadline may have passed on a busy machine, but it has not overtaken the first one.
        assert recorded() == []
        holder.commit()
        if later.result().status == 503:
            eventually(lambda: customers.delete(path(second.id), second.token).status != 503)
        assert recorded() == [first.id, second.id]
        other.rollback()


DELETERS, EACH = 8, 40


def test_no_deletion_appears_behind_a_position_already_read(cluster, customers_database):
    """Many transactions delete at once, some slowly, some of them in vain, while readers follow."""
    count = DELETERS * EACH
    with cluster.connect(customers_database) as connection:
        users = [row[0] for row in connection.execute("""
            INSERT INTO users (email, first_name, last_name, password, is_admin)
            SELECT 'race' || n || '@example.com', '', '', '', false
            FROM generate_series(1, %s) AS n RETURNING id""", [count]).fetchall()]
        [(start,)] = connection.execute(
            "SELECT coalesce(max(position), 0) FROM deletions").fetchall()
    done = threading.Event()

    def delete(own: list[int]) -> None:
        with cluster.connect(customers_database, autocommit=False) as connection:
            for number, user in enumerate(own):
                connection.execute("DELETE FROM users WHERE id = %s", [user])
                if number % 3 == 0:
                    connection.rollback()
                    connection.execute("DELETE FROM users WHERE id = %s", [user])
                if number % 4 == 0:
                    connection.execute("SELECT pg_sleep(0.002)")
                connection.commit()

    def follow() -> list[int]:
        """Returns the users as a reader sees them that never looks back."""
        seen, position = [], start
        with cluster.connect(customers_database) as connection:
            while True:
                was_done = done.is_set()
                rows = connection.execute(
                    "SELECT position, user_id FROM deletions WHERE position > %s ORDER BY position "
                    "LIMIT 7", [position]).fetchall()
                if rows:
                    position = rows[-1][0]
                    seen += [user for _, user in rows]
                elif was_done:
                    return seen

    with ThreadPoolExecutor(DELETERS + 2) as threads:
        readers = [threads.submit(follow) for _ in range(2)]
        deleters = [threads.submit(delete, users[number::DELETERS]) for number in range(DELETERS)]
        try:
            for deleter in deleters:
                deleter.result(timeout=60)
        finally:
            done.set()
        for reader in readers:
            assert sorted(reader.result(timeout=60)) == sorted(users)


def test_after_a_restore_no_position_is_used_again(
        messages, cluster, customers, accounts, customers_binary, customers_environment,
        customers_database, certificates, start_service, feed, tmp_path):
    accounts.delete(accounts.create())
    known = feed.read_all()[-1][0]
    dump = tmp_path / "customers.sql"
    dump.write_text(cluster.dump(customers_database))
    lost = [accounts.delete(accounts.create()).id for _ in range(3)]
    lost_position = feed.read_all(known)[-1][0]

    restored = cluster.create("restored_deletions")
    cluster.restore(restored, dump)
    service = start_service(customers_binary, customers_environment(restored))
    [(user,)] = cluster.query(restored, "SELECT max(id) FROM users")
    cluster.query(restored, "DELETE FROM users WHERE id = %s", user)
    with Feed(messages, service, certificates.cart) as other:
        [(position, deleted)] = other.read_all(known)
        assert deleted == user and user not in lost
        assert position > lost_position
        assert other.refusal(lost_position) == grpc.StatusCode.OUT_OF_RANGE


def test_an_open_stream_does_not_hold_up_the_end(messages, customers_binary, customers_environment,
                                                 customers_database, certificates, start_service):
    service = start_service(customers_binary,
                            customers_environment(customers_database, SHUTDOWN_GRACE="600"))
    with Feed(messages, service, certificates.cart) as client:
        stream = client.open()
        next(stream)
        service.stop(seconds=60)
        for _ in stream:
            pass
        assert stream.code() == grpc.StatusCode.OK


def test_without_its_database_a_stream_ends_and_another_one_goes_on(
        messages, cluster, customers_binary, customers_environment, customers_database,
        certificates, start_service):
    service = start_service(customers_binary, customers_environment(customers_database))
    with Feed(messages, service, certificates.cart) as client:
        everything = client.read_all()
        stream = client.open()
        next(stream)
        cluster.stop("immediate")
        with pytest.raises(grpc.RpcError) as error:
            while True:
                next(stream)
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE
        cluster.start()

        def is_back() -> bool:
            try:
                return client.read_all() == everything
            except grpc.RpcError:
                return False

        eventually(is_back, 30)
