"""A private PostgreSQL cluster: its own directory, Unix socket and loopback port."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

import psycopg

from support.certificates import Peer
from support.waiting import eventually

_BINARIES = pathlib.Path("/usr/lib/postgresql/15/bin")
_ADMIN = "postgres"

# The role of the services: owns its databases, is no superuser, and logs in with a password.
ROLE = "microcart"
PASSWORD = "marked-database-password-5b1f"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _as_postgres(*options: str) -> list[str]:
    """The command prefix for PostgreSQL's programs, which refuse to run as root."""
    prefix = ["setpriv", *options]
    if os.geteuid() == 0:
        prefix += ["--reuid=postgres", "--regid=postgres", "--init-groups"]
    return [*prefix, "--"]


class Cluster:
    """Started by the constructor; `close` stops it and deletes its directory. Clients may connect
    over TLS, to a server that is `peer`, or without."""

    def __init__(self, peer: Peer):
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="microcart-e2e-", dir="/tmp"))
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self._directory, account.pw_uid, account.pw_gid)
        self.port = free_port()
        self._server = None
        data = self._directory / "data"
        subprocess.run(
            [*_as_postgres(), str(_BINARIES / "initdb"), "-D", str(data), "-U", _ADMIN,
             "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
             "--auth-local=trust", "--auth-host=scram-sha-256"],
            check=True, capture_output=True, cwd="/")
        with open(data / "postgresql.conf", "a", encoding="utf-8") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
                f"unix_socket_directories = '{self._directory}'\n"
                "fsync = off\nfull_page_writes = off\nmax_connections = 200\n"
                f"ssl = on\nssl_cert_file = '{self._own(peer.certificate)}'\n"
                f"ssl_key_file = '{self._own(peer.key)}'\n")
        self.start()
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")

    def _own(self, file: pathlib.Path) -> pathlib.Path:
        """A copy that belongs to the server."""
        copy = self._directory / file.name
        shutil.copy(file, copy)
        copy.chmod(0o600)
        shutil.chown(copy, self._directory.owner(), self._directory.group())
        return copy

    def start(self) -> None:
        log = open(self._directory / "server.log", "ab")
        with log:
            self._server = subprocess.Popen(
                [*_as_postgres("--pdeathsig=QUIT"), str(_BINARIES / "postgres"),
                 "-D", str(self._directory / "data")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        eventually(self._answers, 30, lambda: f"PostgreSQL does not start:\n{self.log()}")

    def stop(self, mode: str = "fast") -> None:
        subprocess.run(
            [*_as_postgres(), str(_BINARIES / "pg_ctl"), "stop", "-D",
             str(self._directory / "data"), "-m", mode, "-w", "-t", "60"],
            check=True, capture_output=True, cwd="/")
        self._server.wait(timeout=60)

    def close(self) -> None:
        if self._server.poll() is None:
            self.stop("immediate")
        shutil.rmtree(self._directory)

    def log(self) -> str:
        return (self._directory / "server.log").read_text(errors="replace")

    def _answers(self) -> bool:
        if self._server.poll() is not None:
            raise AssertionError(f"PostgreSQL has ended:\n{self.log()}")
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, database: str, **options) -> psycopg.Connection:
        """A superuser's connection; autocommits unless told otherwise."""
        options.setdefault("autocommit", True)
        return psycopg.connect(host=str(self._directory), port=self.port, user=_ADMIN,
                               dbname=database, **options)

    def query(self, database: str, statement: str, *arguments) -> list[tuple]:
        """The rows of one statement, or nothing where it gives none."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement, arguments)
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str, template: str = "template0") -> str:
        self.query("postgres", f'CREATE DATABASE "{database}" OWNER {ROLE} TEMPLATE "{template}"')
        return database

    def drop(self, database: str) -> None:
        self.query("postgres", f'DROP DATABASE "{database}" WITH (FORCE)')

    def restore(self, database: str, dump: pathlib.Path) -> None:
        """Runs a dump as the services' role, so that its objects belong to them."""
        self._run("psql", database, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", f"SET ROLE {ROLE}",
                  "-f", "-", stdin=dump.read_text())

    def dump(self, database: str, *options: str) -> str:
        """What pg_dump writes, less comments and the random key with which it fences its script."""
        dumped = self._run("pg_dump", database, "--no-owner", *options)
        return "\n".join(line for line in dumped.splitlines()
                         if not line.startswith(("--", "\\restrict", "\\unrestrict")))

    def _run(self, program: str, database: str, *options: str, stdin: str = "") -> str:
        done = subprocess.run(
            [str(_BINARIES / program), "-h", str(self._directory), "-p", str(self.port),
             "-U", _ADMIN, *options, database],
            input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def administrator(self) -> dict[str, str]:
        """The variables with which PostgreSQL's own programs log in as a superuser."""
        return {"PGHOST": str(self._directory), "PGPORT": str(self.port), "PGUSER": _ADMIN}

    def environment(self, database: str) -> dict[str, str]:
        """The variables with which a service reaches `database`."""
        return {
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.port),
            "POSTGRES_DB": database,
            "POSTGRES_USER": ROLE,
            "POSTGRES_PASSWORD": PASSWORD,
        }
