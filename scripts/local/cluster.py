"""A private PostgreSQL cluster: loopback only, no Unix socket, passwords for everyone."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from local.processes import Failure, Supervisor, say, stop_process

BIN = Path("/usr/lib/postgresql/15/bin")
MAJOR_VERSION = "15"
SUPERUSER = "postgres"
START_SECONDS = 60


def secret_file(path: Path) -> Path:
    """A file with 64 random hexadecimal digits, for its owner only; made if it is not there."""
    if not path.exists():
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        new.rename(path)
    return path


def why_not_free(address: str, port: int) -> str | None:
    """Why nothing can listen there, in the system's words; None if something can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            # Two sockets may be bound to a port as long as neither listens.
            probe.listen()
        except OSError as error:
            return error.strerror
        return None


class Cluster:
    """The cluster in `directory`/postgres; its port and passwords are kept beside it."""

    def __init__(self, directory: Path, environment: dict[str, str]):
        self._data = directory / "postgres"
        self._port_file = directory / "postgres.port"
        self._password_file = directory / "postgres.password"
        self._environment = environment
        self.port = 0

    def stop_leftover(self) -> None:
        """Stops a server that a killed run left, and removes the pid file of one that is gone."""
        pid_file = self._data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        try:
            ours = os.path.samefile(f"/proc/{pid}/cwd", self._data)
        except OSError:
            ours = False
        if ours:
            say(f"stopping PostgreSQL (process {pid}), left by a killed run")
            stop_process(pid, signal.SIGINT, 30)
        else:
            # The number may belong to another program by now, which PostgreSQL would respect.
            pid_file.unlink()

    def start(self, supervisor: Supervisor, *options: str) -> None:
        """Makes the cluster if there is none, starts it and returns when it takes connections.

        `options` go to the server's command line.
        """
        secret_file(self._password_file)
        if not self._data.exists():
            self._create(supervisor)
        version = (self._data / "PG_VERSION").read_text().strip()
        if version != MAJOR_VERSION:
            raise Failure(f"the cluster in {self._data} is of PostgreSQL {version}, not "
                          f"{MAJOR_VERSION}. `make reset` deletes it, with its data.")
        self.port = self._choose_port()
        say(f"starting PostgreSQL on 127.0.0.1:{self.port}")
        command = self._as_database_user(self._data) + [
            BIN / "postgres", "-D", self._data, "-p", self.port,
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", *options]
        child = supervisor.start("postgres", command, self._environment, signal.SIGINT)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._is_ready():
                return
            supervisor.wait(0.05)
        raise Failure(f"PostgreSQL did not answer within {START_SECONDS} s; see {child.log}")

    def provide_database(self, name: str, password_file: Path) -> None:
        """Makes a database and its owner, both called `name`, unless they are there.

        The owner's password becomes the one in the file.
        """
        self._sql(rf"""
            \set name {name}
            \set password {password_file.read_text()}
            SELECT format('CREATE ROLE %I LOGIN', :'name')
              WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
            ALTER ROLE :"name" PASSWORD :'password';
            SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
              WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
            REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
            """)

    def _is_ready(self) -> bool:
        """What pg_ctl looks at: the server writes its state to the eighth line of its pid file."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _sql(self, script: str) -> None:
        result = subprocess.run(
            [BIN / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", SUPERUSER,
             "-p", str(self.port), "-d", "postgres"],
            input="\n".join(line.strip() for line in script.splitlines()), text=True,
            capture_output=True,
            env=self._environment | {"PGPASSWORD": self._password_file.read_text()})
        if result.returncode != 0:
            raise Failure(f"psql failed:\n{result.stderr.rstrip()}")

    def _create(self, supervisor: Supervisor) -> None:
        say(f"creating a private PostgreSQL cluster in {self._data}")
        new = self._data.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        # initdb wants a file that the cluster's user can read; inside `new` it would not be empty.
        password = self._password_file.with_suffix(".initdb")
        password.unlink(missing_ok=True)
        shutil.copy(self._password_file, password)
        if os.geteuid() == 0:
            for path in (new, password):
                shutil.chown(path, SUPERUSER, SUPERUSER)
        try:
            supervisor.run("initdb", self._as_database_user(new) + [
                BIN / "initdb", "-D", new, "-U", SUPERUSER, "--pwfile", password,
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8",
                "--no-instructions"], self._environment, "initdb")
        finally:
            password.unlink()
        new.rename(self._data)

    def _choose_port(self) -> int:
        """The port of last time, or another if that is taken."""
        try:
            port = int(self._port_file.read_text())
            if why_not_free("127.0.0.1", port) is None:
                return port
        except (OSError, ValueError):
            pass
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._port_file.write_text(f"{port}\n")
        return port

    def _as_database_user(self, directory: Path) -> list:
        """What to put before a command of PostgreSQL, which refuses to be run by root.

        Then it runs as `postgres`, who may not be let through to a checkout below /root. He gets
        the one capability that lets him through, if he needs it and root has it here.
        """
        if os.geteuid() != 0:
            return []
        for capability in (None, "dac_read_search", "dac_override"):
            prefix = ["setpriv", f"--reuid={SUPERUSER}", f"--regid={SUPERUSER}", "--init-groups"]
            if capability:
                prefix += [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"]
            prefix.append("--")
            enter = ["sh", "-c", 'cd "$0"', str(directory)]
            if subprocess.run(prefix + enter, capture_output=True).returncode == 0:
                return prefix
        raise Failure(f"PostgreSQL refuses to run as root, and the user {SUPERUSER} cannot reach "
                      f"{directory}. Run as another user, or move the checkout, say to /srv.")
