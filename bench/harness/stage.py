"""The programs that are measured: a private PostgreSQL, both services, and their yardsticks."""

import os
import random
import signal
import subprocess
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import jwt

from harness import usage
from harness.statements import session_options
from microcart import certificates, network
from microcart.postgres import Cluster, psql
from microcart.processes import BARE_ENVIRONMENT, Child, Command, Failure, Supervisor
from microcart.services import (
    SERVICES, environments, migration_environment, tls_directory, wait_until_ready)
from microcart.waiting import eventually

PASSWORD = "testPass123"
TOKEN_USERS = 10_000
# Connections of pgbench, with the services' maximum number of clients, and of the services.
POSTGRES_CONNECTIONS = 1100
# The last products are in no cart, so that a write can add one.
SPARE_PRODUCTS = 100
# The schema in which rows are loaded. The customers' is the one before their search index, because loading
# is faster without it.
LOADING_SCHEMA = {"customers": ("to", "3"), "cart": ("up",)}

_LOAD_USERS = """
TRUNCATE users RESTART IDENTITY;
INSERT INTO users (email, first_name, last_name, password, is_admin)
SELECT 'user' || i || '@example.com',
       (ARRAY['Ada','Grace','Alan','Edsger','Barbara','Donald','Tony','Frances'])[1 + i % 8],
       initcap(substr(md5(i::text), 1, 8)), '{hash}', i = 1
FROM generate_series(1, {users}) AS i;
"""

# Sessions of each user that has tokens, numbered from 1. With 10,000 users, they have six times as
# many tokens as TokenCache holds.
SESSIONS = 10
_LOAD_SESSIONS = """
INSERT INTO sessions (user_id, id, expires, client, user_agent)
SELECT users.id, session, now() + interval '1 day', '127.0.0.1', 'A client of the benchmark'
FROM users, generate_series(1, {sessions}) AS session
WHERE users.id <= {users};
"""

_LOAD_CARTS = """
SET microcart.is_import = on;
TRUNCATE products, carts, cartitems RESTART IDENTITY;
INSERT INTO products (name, description, price)
SELECT (ARRAY['Small','Large','Red','Blue','Light','Heavy','Plain','Fine'])[1 + i % 8] || ' '
         || (ARRAY['chair','table','lamp','shelf','basket','kettle','blanket','mirror','clock',
                   'vase'])[1 + i / 8 % 10] || ' of wood '
         || CASE WHEN i > 0.9 * {products} THEN 'novelty ' ELSE '' END || md5(i::text),
       repeat('What there is to say about it. ', 3), (i % 20000 + 99) / 100.0
FROM generate_series(1, {products}) AS i;
SELECT finish_import(ARRAY(SELECT id FROM products));
INSERT INTO carts (user_id) SELECT generate_series(1, {carts});
INSERT INTO cartitems (cart_id, product_id, quantity)
SELECT cart, 1 + (cart * 31 + item) % ({products} - {spare}), 1 + (cart + item) % 5
FROM generate_series(1, {carts}) AS cart, generate_series(1, {items}) AS item;
"""


@dataclass(frozen=True)
class Size:
    users: int = 10_000
    carts: int = 10_000
    items: int = 5  # In each cart.
    products: int = 1_000


class Stage:
    """Call `start`, `load` and `start_services`, in this order. The supervisor stops everything."""

    def __init__(self, build: Path, run: Path, supervisor: Supervisor, workers: int):
        self.build = build
        self.run = run
        self.supervisor = supervisor
        self.workers = workers
        self.cluster = Cluster(run, settings={"max_connections": str(POSTGRES_CONNECTIONS)})
        self.size = Size()
        self.services: dict[str, Child] = {}
        servers = (*SERVICES, "grpc", "nginx", "echo")
        self.ports = dict(zip(servers, network.free_ports(len(servers))))
        self.environments: dict[str, dict[str, str]] = {}
        self.tokens: list[str] = []  # The Authorization of user 1, 2, …
        self.first = command_to_go_first()
        self._hash = ""
        self._yardsticks: set[str] = set()
        for name in ("log", "tls"):
            (run / name).mkdir()

    def program(self, name: str) -> Path:
        """Returns the path of a program of the build."""
        path = (SERVICES[name].binary(self.build) if name in SERVICES
                else self.build / "bench" / name)
        if not path.exists():
            raise Failure(f"{path} is not there: `make build` first")
        return path

    def start(self) -> None:
        for name in (*SERVICES, "bench_password_hashes"):
            self.program(name)
        self.cluster.supervise(self.supervisor)
        self.environments = environments(self.run, self.cluster, ports=self.ports,
                                         grpc_port=self.ports["grpc"])
        for environment in self.environments.values():
            environment["WORKERS"] = str(self.workers)
        # Raised because all load comes from one address.
        self.environments["customers"]["LOGIN_FAILURES_PER_ADDRESS"] = "1000000"
        for environment in self.environments.values():
            environment["HTTP_MAX_CONNECTIONS_PER_CLIENT"] = "10000"
        self._hash = self.output([self.program("bench_password_hashes"), "--hash", "--password",
                                  PASSWORD]).strip()
        self.tokens = self.sign_tokens(TOKEN_USERS)

    def sign_tokens(self, users: int, session: int = 0) -> list[str]:
        """Returns a valid Authorization for each user; each of SESSIONS has different ones."""
        secret = Path(self.environments["customers"]["JWT_SECRET_FILE"]).read_text()
        expires = int(time.time()) + 24 * 3600 + session
        return ["Bearer " + jwt.encode(
            {"id": user, "email": f"user{user}@example.com", "is_admin": user == 1, "exp": expires,
             "ver": -1, "sid": 1 + session},
            secret, "HS256") for user in range(1, users + 1)]

    def load(self, size: Size) -> None:
        """Replaces all data. The services must be stopped."""
        self.size = size
        (self.run / "tokens").write_text("\n".join(self.tokens[:size.users]) + "\n")
        for service, script in (
                ("customers", _LOAD_USERS.format(users=size.users, hash=self._hash)),
                ("cart", _LOAD_CARTS.format(products=size.products, carts=size.carts,
                                            items=size.items, spare=SPARE_PRODUCTS))):
            self._migrate(service, *LOADING_SCHEMA[service])
            self.psql(service, script)
            self._migrate(service, "up")
            if service == "customers":
                self.psql(service, _LOAD_SESSIONS.format(users=TOKEN_USERS, sessions=SESSIONS))
            self.psql(service, "VACUUM ANALYZE;")

    def start_services(self) -> None:
        for service in SERVICES:
            self.start_service(service)

    def start_service(self, service: str) -> None:
        child = self.supervisor.start(service, Command([self.program(service), "serve"]),
                                      self.environments[service])
        self.services[service] = child
        wait_until_ready(self.supervisor, child, self.url(service))

    def stop_services(self) -> None:
        for service in reversed(SERVICES):
            if service in self.services:
                self.supervisor.stop(self.services.pop(service))

    def start_nginx(self) -> None:
        """Starts nginx with as many workers as a service, and with the answer of /healthz."""
        if "nginx" in self._yardsticks:
            return
        self._yardsticks.add("nginx")
        directory = self.run / "nginx"
        directory.mkdir()
        paths = "".join(f"{module}_temp_path {directory}/{module};"
                        for module in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (directory / "nginx.conf").write_text(f"""
            daemon off;
            worker_processes {self.workers};
            pid {directory}/pid;
            error_log stderr;
            events {{ worker_connections 4096; }}
            http {{
              access_log off; {paths}
              keepalive_requests 1000000000;
              default_type application/json;
              server {{
                listen 127.0.0.1:{self.ports["nginx"]} reuseport;
                location / {{ return 200 '{{"data":{{"alive":true}}}}'; }}
              }}
            }}""")
        self.supervisor.start(
            "nginx", Command(["nginx", "-p", directory, "-c", directory / "nginx.conf"],
                             death_signal=signal.SIGTERM), BARE_ENVIRONMENT)
        self._wait_for_port("nginx")

    def start_echo(self) -> None:
        """Starts the validation services that accept every token without a database."""
        if "echo" in self._yardsticks:
            return
        self._yardsticks.add("echo")
        self.supervisor.start(
            "echo", Command([self.program("bench_validation_echo"), "--port", self.ports["echo"],
                             *self._tls("customers")]), BARE_ENVIRONMENT)
        self._wait_for_port("echo")

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def client_tls(self) -> list:
        return self._tls("cart")

    def _tls(self, name: str) -> list:
        peer = certificates.peer(tls_directory(self.run), name)
        return ["--ca", peer.ca, "--certificate", peer.certificate, "--key", peer.key]

    def psql(self, database: str, script: str, environment: dict[str, str] | None = None) -> str:
        """Runs SQL as the database's owner, and returns its unaligned output."""
        return psql(script, environment or self.postgres_environment(database))

    def postgres_environment(self, database: str) -> dict[str, str]:
        """Returns the variables with which libpq connects to a database as its owner."""
        return self.cluster.client_environment(database, database,
                                               self.run / f"{database}.password")

    def session_environment(self, database: str, *options: str) -> dict[str, str]:
        """Returns the same with the settings of a service's sessions, and `options`."""
        return self.postgres_environment(database) | {
            "PGOPTIONS": " ".join((session_options(), *options))}

    def output(self, command: list, environment: dict[str, str] | None = None) -> str:
        """Runs a program to its end and returns its output, without standard error."""
        name = Path(command[0]).name
        printed = self.run / "log" / f"{name}.out"
        self.supervisor.run(name, command, BARE_ENVIRONMENT | (environment or {}), name, printed)
        return printed.read_text(errors="replace")

    def sample(self) -> dict[str, float]:
        """Returns the CPU seconds so far of each process that takes part."""
        seconds = {name: usage.cpu_seconds(child.process.pid)
                   for name, child in self.services.items()}
        seconds |= usage.postgres_cpu(self.cluster.postmaster())
        seconds["load generator"] = usage.own_children_cpu()
        return seconds

    def truncate_logs(self) -> None:
        """Empties the log files, because the services log each request and nobody reads it here."""
        for child in self.services.values():
            os.truncate(child.log, 0)

    def _migrate(self, service: str, *arguments: str) -> None:
        self.supervisor.run(f"the migration of {service}",
                            [self.program(service), "migrate", *arguments],
                            migration_environment(self.run, service, self.environments[service]),
                            f"{service}-migrate")

    def _wait_for_port(self, name: str) -> None:
        eventually(lambda: network.listens(self.ports[name]), 10,
                   lambda: f"{name} does not listen; see {self.run}/log/{name}.log",
                   self.supervisor.wait, 0.05)


def command_to_go_first() -> list[str]:
    """Returns a command that runs an open loop at a higher priority than the measured programs, if
    that is permitted.

    Otherwise it waits for a core like the others, and its own waiting counts as the server's.
    """
    command = ["chrt", "--fifo", "1"]
    permitted = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if permitted.returncode == 0 else []


def shuffled(count: int) -> list[int]:
    """Returns 1 to `count` in a random order that is always the same."""
    numbers = list(range(1, count + 1))
    random.Random(count).shuffle(numbers)
    return numbers


def quoted(text: str) -> str:
    return urllib.parse.quote(text)
