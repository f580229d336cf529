"""A primary and its standby: sessions go only to the server that accepts writes."""

import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from microcart.postgres import BIN, SUPERUSER, TemporaryCluster, privileges
from microcart.processes import Command
from microcart.testing.accounts import PASSWORD, fresh_email
from microcart.testing.cluster import Cluster
from microcart.testing.service import Service, run
from microcart.waiting import eventually


class Standby(TemporaryCluster):
    """A replica of `primary` that accepts no writes until it is promoted."""

    def __init__(self, primary: Cluster):
        self._primary = primary
        super().__init__()

    def _create(self) -> None:
        self.data.mkdir(mode=0o700)
        owner = self._primary.data
        subprocess.run(["chown", f"--reference={owner}", self.data.parent, self.data], check=True)
        self._run_program("pg_basebackup", "-D", self.data, "-h", owner, "-p", self._primary.port,
                          "-U", SUPERUSER, "--write-recovery-conf", "--checkpoint=fast",
                          "--no-sync")

    def promote(self) -> None:
        self._run_program("pg_ctl", "promote", "-D", self.data, "--wait")

    def _run_program(self, program: str, *arguments) -> None:
        process = Command([BIN / program, *arguments], privileges(self.data)).spawn(
            {}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output.decode()


@pytest.fixture
def primary(certificates, customers_binary):
    server = Cluster(certificates.customers)
    server.create("customers")
    done = run(customers_binary, "migrate", "up", environment=server.environment("customers"))
    assert done.returncode == 0, done.stderr
    yield server
    server.close()


@pytest.fixture
def standby(primary):
    server = Standby(primary)
    yield server
    server.close()


@pytest.fixture
def start(primary, customers_binary, customers_environment):
    """Starts the customers service on the servers on these ports, which hold one database."""
    started = []

    def start_on(*ports: int) -> Service:
        environment = customers_environment("customers") | primary.environment("customers") | {
            "POSTGRES_HOST": ",".join("127.0.0.1" for _ in ports),
            "POSTGRES_PORT": ",".join(map(str, ports))}
        started.append(Service(customers_binary, environment).start(until_ready=False))
        return started[-1]

    yield start_on
    for service in started:
        service.stop()


def register(service: Service, email: str) -> int:
    return httpx.post(f"{service.url}/api/v1/users/create/", timeout=20, json={
        "email": email, "password": PASSWORD}).status_code


def registers(service: Service) -> bool:
    return register(service, fresh_email("failover")) == 201


def test_no_session_stays_on_a_standby(primary, standby, start):
    service = start(standby.port)
    eventually(lambda: "hot standby" in service.output() or "read-only" in service.output())
    assert service.readiness() == 503
    assert not registers(service)
    primary.stop()
    standby.promote()
    service.wait_ready(200)
    assert registers(service)


def test_after_a_failover_the_other_server_is_used(primary, standby, start):
    service = start(standby.port, primary.port)
    service.wait_ready(200)
    assert registers(service)
    primary.stop("immediate")
    service.wait_ready(503)
    standby.promote()
    service.wait_ready(200)
    assert registers(service)


def test_a_server_that_does_not_answer_is_passed_over(primary, start):
    """One that accepts connections and says nothing, and one that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        service = start(silent.getsockname()[1], 1, primary.port)
        service.wait_ready(200)
        assert registers(service)


def test_a_write_that_no_standby_confirms_is_unknown(primary, start):
    """Without its synchronous standby, a write ends by its deadline; so does one whose wait for the
    standby is cancelled. Neither is answered as done, though both are there afterwards."""
    def set_standby(name: str) -> None:
        primary.query("postgres", f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        primary.query("postgres", "SELECT pg_reload_conf()")

    def waiting() -> list[tuple]:
        return primary.query("postgres", "SELECT pid FROM pg_stat_activity "
                             "WHERE wait_event = 'SyncRep'")

    service = start(primary.port)
    service.wait_ready(200)
    late, cancelled = fresh_email("late"), fresh_email("cancelled")
    set_standby("missing")
    assert register(service, late) == 503
    assert waiting()
    with ThreadPoolExecutor(1) as thread:
        before = {pid for (pid,) in waiting()}
        answer = thread.submit(register, service, cancelled)
        [pid] = eventually(lambda: {pid for (pid,) in waiting()} - before)
        primary.query("postgres", "SELECT pg_cancel_backend(%s)", pid)
        assert answer.result() == 503
    set_standby("")
    eventually(lambda: not waiting())
    assert primary.query("customers", "SELECT count(*) FROM users WHERE email IN (%s, %s)",
                         late, cancelled) == [(2,)]
    assert registers(service)
