"""Private PostgreSQL clusters, on the loopback interface."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from microcart.certificates import Peer
from microcart.network import free_port, why_not_free
from microcart.processes import BARE_ENVIRONMENT, Command, Failure, Supervisor, say
from microcart.waiting import eventually

BIN = Path("/usr/lib/postgresql/15/bin")
MAJOR_VERSION = "15"
SUPERUSER = "postgres"
START_SECONDS = 60
STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


def secret_file(path: Path) -> Path:
    """Makes a file with 64 random hexadecimal digits, readable by its owner only, if missing."""
    if not path.exists():
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        new.rename(path)
    return path


def psql(script: str, environment: dict[str, str]) -> str:
    """Runs SQL as a client with this environment, and returns its unaligned output."""
    result = subprocess.run([BIN / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1"], input=script,
                            text=True, capture_output=True, env=BARE_ENVIRONMENT | environment)
    if result.returncode != 0:
        raise Failure(f"psql failed:\n{result.stderr.rstrip()}")
    return result.stdout


def privileges(directory: Path) -> tuple[str, ...]:
    """Returns the options of setpriv for a program of PostgreSQL, which refuses to run as root.

    As root it runs as the user `postgres`, which may be unable to enter a checkout below /root.
    In that case the user gets the capability that permits this, if root has it here.
    """
    if os.geteuid() != 0:
        return ()
    for capability in (None, "dac_read_search", "dac_override"):
        options = (f"--reuid={SUPERUSER}", f"--regid={SUPERUSER}", "--init-groups")
        if capability:
            options += (f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}")
        enter = ["setpriv", *options, "--", "sh", "-c", 'cd "$0"', str(directory)]
        if subprocess.run(enter, capture_output=True).returncode == 0:
            return options
    raise Failure(f"PostgreSQL refuses to run as root, and the user {SUPERUSER} cannot reach "
                  f"{directory}. Run as another user, or move the checkout, say to /srv.")


class Cluster:
    """The cluster in `directory`/postgres; its port and the superuser's password are kept beside it.

    Clients log in with a password, over TCP. `initdb_options` go to initdb, `settings` to the
    server.
    """

    def __init__(self, directory: Path, initdb_options: tuple[str, ...] = (),
                 settings: dict[str, str] | None = None):
        self.data = directory / "postgres"
        self.port = 0
        self._port_file = directory / "postgres.port"
        self._password_file = directory / "postgres.password"
        self._initdb_options = initdb_options
        self._settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "",
                          **(settings or {})}

    def supervise(self, supervisor: Supervisor) -> None:
        """Makes the cluster if it is missing, starts it, and returns when it accepts connections."""
        if not self.data.exists():
            say(f"creating a private PostgreSQL cluster in {self.data}")
            self._create()
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR_VERSION:
            raise Failure(f"the cluster in {self.data} is of PostgreSQL {version}, not "
                          f"{MAJOR_VERSION}. `make reset` deletes it, with its data.")
        self._choose_port()
        say(f"starting PostgreSQL on 127.0.0.1:{self.port}")
        child = supervisor.start("postgres", self._command(), BARE_ENVIRONMENT)
        eventually(self._is_ready, START_SECONDS,
                   lambda: f"PostgreSQL did not answer within {START_SECONDS} s; see {child.log}",
                   supervisor.wait, 0.05)

    def attach(self) -> None:
        """Finds the server that another process supervises. Raises Failure if there is none."""
        try:
            self.port = int(self._port_file.read_text())
        except OSError:
            pass
        if not self.port or not self._is_ready():
            raise Failure(f"no PostgreSQL runs in {self.data}: start `make run` first")

    def await_end(self) -> None:
        """Waits for a server whose supervisor was killed; removes the pid file of one that has ended."""
        pid_file = self.data / "postmaster.pid"

        def is_running() -> bool:
            try:
                return os.path.samefile(f"/proc/{self.postmaster()}/cwd", self.data)
            except (OSError, ValueError):
                return False

        eventually(lambda: not is_running(), START_SECONDS,
                   lambda: f"PostgreSQL (process {self.postmaster()}) of a killed run does not end")
        # The number may belong to another program by now, which PostgreSQL would respect.
        pid_file.unlink(missing_ok=True)

    def postmaster(self) -> int:
        """Returns the server's process id."""
        return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])

    def provide_database(self, name: str, passwords: dict[str, Path]) -> None:
        """Makes a database and its owner, both called `name`, and further roles without rights,
        unless they are there.

        `passwords` has the roles and the files with their passwords, which become the ones there.
        """
        for role, password_file in passwords.items():
            psql(rf"""
\set role {role}
\set password {password_file.read_text()}
SELECT format('CREATE ROLE %I LOGIN', :'role')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" PASSWORD :'password';
""", self.client_environment("postgres", SUPERUSER, self._password_file))
        psql(rf"""
\set name {name}
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
""", self.client_environment("postgres", SUPERUSER, self._password_file))

    def client_environment(self, database: str, user: str, password_file: Path) -> dict[str, str]:
        """Returns the variables with which libpq logs in."""
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGDATABASE": database,
                "PGUSER": user, "PGSSLMODE": "disable", "PGPASSWORD": password_file.read_text()}

    def _is_ready(self) -> bool:
        """Reads the state that the server writes to the eighth line of its pid file, like pg_ctl."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _create(self) -> None:
        secret_file(self._password_file)
        new = self.data.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        # initdb wants a file that the cluster's user can read; inside `new` it would not be empty.
        password = self._password_file.with_suffix(".initdb")
        password.unlink(missing_ok=True)
        shutil.copy(self._password_file, password)
        if os.geteuid() == 0:
            for path in (new, password):
                shutil.chown(path, SUPERUSER, SUPERUSER)
        initdb = Command(
            [BIN / "initdb", "-D", new, "-U", SUPERUSER, "--pwfile", password,
             "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions",
             *self._initdb_options], privileges(new))
        try:
            process = initdb.spawn(BARE_ENVIRONMENT, cwd="/", stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True)
            output, _ = process.communicate()
            if process.returncode != 0:
                raise Failure(f"initdb failed:\n{output.decode(errors='replace')}")
        finally:
            password.unlink()
        new.rename(self.data)

    def _command(self) -> Command:
        options = [option for name, value in self._settings.items()
                   for option in ("-c", f"{name}={value}")]
        return Command([BIN / "postgres", "-D", self.data, "-p", self.port, *options],
                       privileges(self.data), STOP_SIGNALS["fast"], STOP_SIGNALS["immediate"])

    def _choose_port(self) -> None:
        """Returns the previous port, or another one if that is taken."""
        try:
            self.port = int(self._port_file.read_text())
            if why_not_free("127.0.0.1", self.port) is None:
                return
        except (OSError, ValueError):
            pass
        self.port = free_port()
        self._port_file.write_text(f"{self.port}\n")

class TemporaryCluster(Cluster):
    """A cluster for tests, deleted by `close`. Commits survive a crash of the server, not of the
    machine.

    The superuser also gets in without a password, over a socket in `data`, which nobody else can
    enter. Where `trusting`, everybody does so over TCP as well. With `tls`, clients may use TLS.
    """

    def __init__(self, *, trusting: bool = False, tls: Peer | None = None):
        self._directory = Path(tempfile.mkdtemp(prefix="microcart-postgres-", dir="/tmp"))
        self._directory.chmod(0o755)  # The server may run as another user.
        data = self._directory / "postgres"
        super().__init__(
            self._directory,
            ("--no-sync", "--auth-local=trust", *["--auth-host=trust"] * trusting),
            {"unix_socket_directories": str(data), "fsync": "off", "full_page_writes": "off",
             "shared_buffers": "32MB", "max_connections": "200"})
        self._server = None
        self._log = self._directory / "server.log"
        try:
            self._create()
            if tls:
                self._settings |= {"ssl": "on", "ssl_cert_file": self._own(tls.certificate),
                                   "ssl_key_file": self._own(tls.key)}
            self.port = free_port()
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._server = self._command().spawn(BARE_ENVIRONMENT, cwd="/", stdout=log, stderr=log)

        def is_ready() -> bool:
            if self._server.poll() is not None:
                raise Failure(f"PostgreSQL has ended:\n{self.log()}")
            return self._is_ready()

        eventually(is_ready, START_SECONDS, lambda: f"PostgreSQL does not start:\n{self.log()}")

    def stop(self, mode: str = "fast") -> None:
        self._server.send_signal(STOP_SIGNALS[mode])
        self._server.wait(timeout=START_SECONDS)

    def close(self) -> None:
        if self._server is not None and self._server.poll() is None:
            self.stop("immediate")
        shutil.rmtree(self._directory)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _own(self, file: Path) -> str:
        """A copy that belongs to the server."""
        copy = self.data / file.name
        shutil.copy(file, copy)
        copy.chmod(0o600)
        shutil.chown(copy, self.data.owner(), self.data.group())
        return str(copy)
