"""Databases that fail over, on this machine: the files of deploy/ha, with free ports."""

import base64
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import psycopg

from harness.proxy import Proxy
from microcart import ROOT
from microcart.certificates import Peer
from microcart.network import free_ports, request
from microcart.postgres import SUPERUSER, privileges, secret_file
from microcart.processes import BARE_ENVIRONMENT, Command, Failure, tail
from microcart.services import SERVICES
from microcart.waiting import eventually

FILES = ROOT / "deploy/ha"
NODES = 3
# How fast Patroni works here; those of deploy/ha/patroni.yml are for production.
TIMES = {"ttl": 8, "loop_wait": 1, "retry_timeout": 3}
# A node that comes back may have to copy what it lacks.
START_SECONDS = 300


def wait_for(condition, what: str, seconds: float = START_SECONDS):
    return eventually(condition, seconds, lambda: f"not within {seconds} s: {what}", interval=0.1)


class Program:
    """A program with a log, which can be started again."""

    def __init__(self, command: Command, environment: dict[str, str], log: pathlib.Path):
        self._command = command
        self._environment = BARE_ENVIRONMENT | environment
        self.log = log
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = self._command.spawn(self._environment, cwd="/", stdout=log, stderr=log)

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds: float = 30) -> None:
        if not self.runs():
            return
        self.process.send_signal(self._command.stop_signal)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _children(parent: int) -> list[int]:
    children = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                children.append(int(stat.parent.name))
    return children


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


class Node:
    """Patroni and its PostgreSQL."""

    def __init__(self, name: str, directory: pathlib.Path, environment: dict[str, str],
                 tls: Peer, to_etcd: Proxy):
        self.name = name
        self.port, self.patroni_port = free_ports(2)
        self.to_etcd = to_etcd
        self._password = environment["PATRONI_RESTAPI_PASSWORD"]
        self.directory = directory / name
        self.directory.mkdir()
        self._data = self.directory / "data"
        for file, copy in ((tls.certificate, "tls.crt"), (tls.key, "tls.key"), (tls.ca, "ca.crt")):
            shutil.copy(file, self.directory / copy)
            (self.directory / copy).chmod(0o600)
        if os.geteuid() == 0:
            for path in (self.directory, *self.directory.iterdir()):
                shutil.chown(path, SUPERUSER, SUPERUSER)
        self._patroni = Program(
            # Patroni stops its PostgreSQL.
            Command(["patroni", directory / "patroni.yml"], privileges(self.directory),
                    death_signal=signal.SIGTERM),
            environment | {
                "PATH": f"{directory}:{BARE_ENVIRONMENT['PATH']}",
                "PATRONI_NAME": name,
                "PATRONI_ETCD3_HOSTS": f"127.0.0.1:{to_etcd.port}",
                # Otherwise Patroni asks etcd for its address, and passes the proxy by.
                "PATRONI_ETCD3_USE_PROXIES": "true",
                **{f"PATRONI_{part}_{kind}": f"127.0.0.1:{port}"
                   for part, port in (("POSTGRESQL", self.port), ("RESTAPI", self.patroni_port))
                   for kind in ("LISTEN", "CONNECT_ADDRESS")},
                "PATRONI_POSTGRESQL_DATA_DIR": str(self._data),
                "PATRONI_POSTGRESQL_PGPASS": str(self.directory / "pgpass"),
                **{f"PATRONI_{user}_{name}": value
                   for user in ("SUPERUSER", "REPLICATION", "REWIND")
                   for name, value in (("SSLMODE", "verify-ca"),
                                       ("SSLROOTCERT", str(self.directory / "ca.crt")))}},
            directory / f"{name}.log")

    @property
    def log(self) -> pathlib.Path:
        return self._patroni.log

    def start(self) -> None:
        self._patroni.start()

    def patroni(self, path: str, method: str = "GET", body=None, seconds: float = 2):
        credentials = base64.b64encode(f"patroni:{self._password}".encode()).decode()
        return request(method, f"http://127.0.0.1:{self.patroni_port}/{path}", body,
                       token=f"Basic {credentials}", seconds=seconds)

    def leads(self) -> bool:
        return self._patroni.runs() and self.patroni("primary").status == 200

    def _postgres(self) -> list[int]:
        """Returns the processes of its PostgreSQL, the postmaster first."""
        try:
            postmaster = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
            if not os.path.samefile(f"/proc/{postmaster}/cwd", self._data):
                return []
        except (OSError, ValueError):
            return []
        return [postmaster, *_children(postmaster)]

    def kill_patroni(self) -> None:
        self._patroni.process.kill()
        self._patroni.process.wait()

    def kill(self) -> None:
        """Ends everything at once, as a machine does that loses its power."""
        postgres = self._postgres()
        self.kill_patroni()
        _signal(postgres, signal.SIGKILL)
        wait_for(lambda: not self._postgres(), f"the end of {self.name}")

    def freeze(self) -> None:
        _signal([self._patroni.process.pid, *self._postgres()], signal.SIGSTOP)

    def thaw(self) -> None:
        _signal([*self._postgres(), self._patroni.process.pid], signal.SIGCONT)

    def stop(self) -> None:
        if self._patroni.runs():
            self.thaw()
        self._patroni.stop()
        if postgres := self._postgres():
            _signal(postgres, signal.SIGCONT)
            _signal(postgres[:1], signal.SIGQUIT)
            with contextlib.suppress(Failure):
                wait_for(lambda: not self._postgres(), "the end of PostgreSQL", 10)
            _signal(self._postgres(), signal.SIGKILL)


class Database:
    """The database of one service: three nodes, and the balancer that leads to the leader. Its name
    is the service's, and so is its owner's."""

    def __init__(self, name: str, directory: pathlib.Path, tls: Peer, background, etcd_port: int):
        self.name = name
        self.ca = tls.ca
        [self.port] = free_ports(1)
        self._background = background
        owner, serving, cluster = (secret_file(directory / f"{name}-{kind}.password")
                                   for kind in ("owner", "serving", "cluster"))
        self._passwords = {name: owner.read_text(), self.serving_role: serving.read_text(),
                           SUPERUSER: cluster.read_text()}
        for secret in (owner, serving):  # create-database reads them, as the user of PostgreSQL.
            if os.geteuid() == 0:
                shutil.chown(secret, SUPERUSER)
        users = {"SUPERUSER": SUPERUSER, "REPLICATION": "replicator", "REWIND": "rewinder",
                 "RESTAPI": "patroni"}
        environment = {
            "PATRONI_SCOPE": name,
            **{f"PATRONI_{user}_USERNAME": role for user, role in users.items()},
            **{f"PATRONI_{user}_PASSWORD": cluster.read_text() for user in users},
            "POSTGRES_DB": name, "POSTGRES_USER": name, "POSTGRES_PASSWORD_FILE": str(owner),
            "SERVING_ROLE": self.serving_role, "SERVING_PASSWORD_FILE": str(serving)}
        self.nodes = []
        for number in range(1, NODES + 1):
            proxy = Proxy(etcd_port)
            background.run(proxy.listen())
            self.nodes.append(Node(f"{name}-{number}", directory, environment, tls, proxy))
        self._balancer = Program(
            Command(["haproxy", "-db", "-f", FILES / "haproxy.cfg"], stop_signal=signal.SIGUSR1),
            {"LISTEN": f"127.0.0.1:{self.port}",
             **{f"{variable}_{number}": value
                for number, node in enumerate(self.nodes, start=1)
                for variable, value in (("NODE", f"127.0.0.1:{node.port}"),
                                        ("PATRONI_PORT", str(node.patroni_port)))}},
            directory / f"{name}-haproxy.log")

    @property
    def serving_role(self) -> str:
        return f"{self.name}_service"

    def start(self) -> None:
        self._balancer.start()
        for node in self.nodes:
            node.start()

    def await_start(self) -> None:
        leader = wait_for(self.leader, f"a leader; see {self.nodes[0].log}")
        answer = leader.patroni("config", "PATCH", TIMES)
        assert answer.status == 200, answer

    def stop(self) -> None:
        self._balancer.stop(1)
        for node in self.nodes:
            node.stop()
            self._background.run(node.to_etcd.close())

    def leader(self) -> Node | None:
        return next((node for node in self.nodes if node.leads()), None)

    def standbys(self) -> tuple[Node, Node]:
        """Returns the synchronous standby and the other one."""
        members = {member["name"]: member["role"]
                   for member in self.leader().patroni("cluster").json()["members"]}
        [synchronous] = [node for node in self.nodes if members.get(node.name) == "sync_standby"]
        [other] = [node for node in self.nodes if members.get(node.name) == "replica"]
        return synchronous, other

    def is_confirmed_by(self, standby: Node) -> bool:
        """Returns whether this standby confirms the commits of the leader."""
        try:
            return self.query("SELECT application_name FROM pg_stat_replication "
                              "WHERE state = 'streaming' AND sync_state = 'sync'"
                              ) == [(standby.name,)]
        except psycopg.Error:
            return False

    def await_health(self) -> None:
        """Waits until one node leads, and both others follow it, one of them synchronously."""
        def is_healthy() -> bool:
            leader = self.leader()
            try:
                states = self.query("SELECT sync_state FROM pg_stat_replication "
                                    "WHERE state = 'streaming' ORDER BY 1 DESC")
                self.standbys()
            except (psycopg.Error, AttributeError, ValueError, KeyError):
                return False
            return bool(leader) and states == [("sync",), ("async",)]

        try:
            wait_for(is_healthy, f"all of {self.name}")
        except Failure as failure:
            raise Failure("\n".join([str(failure), *(f"{node.log}:\n{tail(node.log, 30)}"
                                                     for node in self.nodes)])) from failure

    # The way of clients, through the balancer.

    def connect(self, port: int = 0, **options) -> psycopg.Connection:
        """Opens a superuser's connection to the leader, or to the node with this port."""
        return psycopg.connect(
            host="127.0.0.1", port=port or self.port, dbname=self.name, user=SUPERUSER,
            password=self._passwords[SUPERUSER], sslmode="verify-full", sslrootcert=str(self.ca),
            autocommit=True, connect_timeout=2, **options)

    def query(self, statement: str, *arguments) -> list[tuple]:
        with self.connect(target_session_attrs="read-write") as connection:
            cursor = connection.execute(statement, arguments)
            return cursor.fetchall() if cursor.description else []

    def environment(self, user: str) -> dict[str, str]:
        return {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(self.port),
                "POSTGRES_DB": self.name, "POSTGRES_USER": user,
                "POSTGRES_PASSWORD": self._passwords[user],
                "POSTGRES_SERVING_ROLE": self.serving_role,
                "POSTGRES_SSLMODE": "verify-full", "PGSSLROOTCERT": str(self.ca)}


class Databases:
    """Those of all services. It takes the place of microcart.testing.cluster.Cluster."""

    def __init__(self, tls: Peer, background):
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="microcart-failover-", dir="/tmp"))
        self._directory.chmod(0o755)  # PostgreSQL may run as another user.
        self._all: dict[str, Database] = {}
        for file in ("patroni.yml", "create-database"):
            shutil.copy(FILES / file, self._directory)
        client, peer = free_ports(2)
        self._etcd = Program(
            Command(["etcd"]), _variables(FILES / "etcd.env") | {
                "ETCD_NAME": "etcd-1", "ETCD_DATA_DIR": str(self._directory / "etcd"),
                "ETCD_INITIAL_CLUSTER": f"etcd-1=http://127.0.0.1:{peer}",
                "ETCD_INITIAL_ADVERTISE_PEER_URLS": f"http://127.0.0.1:{peer}",
                "ETCD_LISTEN_PEER_URLS": f"http://127.0.0.1:{peer}",
                "ETCD_ADVERTISE_CLIENT_URLS": f"http://127.0.0.1:{client}",
                "ETCD_LISTEN_CLIENT_URLS": f"http://127.0.0.1:{client}"},
            self._directory / "etcd.log")
        try:
            self._etcd.start()
            for name in SERVICES:
                self._all[name] = Database(name, self._directory, tls, background, client)
                self._all[name].start()
            for database in self._all.values():
                database.await_start()
            self.await_health()
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name: str) -> Database:
        return self._all[name]

    def close(self) -> None:
        for database in self._all.values():
            database.stop()
        self._etcd.stop()
        shutil.rmtree(self._directory)

    def await_health(self) -> None:
        for database in self._all.values():
            database.await_health()

    def query(self, database: str, statement: str, *arguments) -> list[tuple]:
        return self[database].query(statement, *arguments)

    def environment(self, database: str) -> dict[str, str]:
        """Returns the variables with which `migrate` connects to `database`."""
        return self[database].environment(database)

    def serving_environment(self, database: str) -> dict[str, str]:
        """Returns the variables with which a service connects to `database`."""
        return self[database].environment(self[database].serving_role)


def _variables(file: pathlib.Path) -> dict[str, str]:
    lines = (line for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)
