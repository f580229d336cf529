"""A temporary PostgreSQL cluster with the role of the services, and helpers for its databases."""

import pathlib
import subprocess

import psycopg

from microcart.certificates import Peer
from microcart.postgres import BIN, SUPERUSER, TemporaryCluster

# The role that migrates. It owns the databases, is not a superuser, and logs in with a password.
ROLE = "microcart"
# The role that serves, with the rights that the migration grants it, and the same password.
SERVING_ROLE = "microcart_service"
PASSWORD = "marked-database-password-5b1f"
PARTITIONED = (pathlib.Path(__file__).resolve().parents[3]
               / "services/cart/migrations/variants/partitioned.sql")


class Cluster(TemporaryCluster):
    """`start`, `stop` and `close` are TemporaryCluster's. Clients may use TLS, to a server that is
    `peer`."""

    def __init__(self, peer: Peer):
        super().__init__(tls=peer)
        with self.connect("postgres") as connection:
            for role in (ROLE, SERVING_ROLE):
                connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")

    def connect(self, database: str, **options) -> psycopg.Connection:
        """Opens a superuser's connection, which autocommits by default."""
        options.setdefault("autocommit", True)
        return psycopg.connect(host=str(self.data), port=self.port, user=SUPERUSER,
                               dbname=database, **options)

    def query(self, database: str, statement: str, *arguments) -> list[tuple]:
        """Returns the rows of one statement, or nothing if it returns none."""
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

    def partition(self, database: str) -> None:
        """Spreads the carts of the cart service's database over partitions."""
        self._run("psql", database, "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction",
                  "-c", f"SET ROLE {ROLE}", "-f", str(PARTITIONED))

    def dump(self, database: str, *options: str) -> str:
        """Returns what pg_dump writes, without comments and the random key that fences its script."""
        dumped = self._run("pg_dump", database, "--no-owner", *options)
        return "\n".join(line for line in dumped.splitlines()
                         if not line.startswith(("--", "\\restrict", "\\unrestrict")))

    def _run(self, program: str, database: str, *options: str, stdin: str = "") -> str:
        done = subprocess.run([BIN / program, *options, database], env=self.administrator(),
                              input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def administrator(self) -> dict[str, str]:
        """Returns the variables with which PostgreSQL's own programs log in as a superuser."""
        return {"PGHOST": str(self.data), "PGPORT": str(self.port), "PGUSER": SUPERUSER}

    def environment(self, database: str) -> dict[str, str]:
        """Returns the variables with which `migrate` connects to `database`."""
        return {
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.port),
            "POSTGRES_DB": database,
            "POSTGRES_USER": ROLE,
            "POSTGRES_PASSWORD": PASSWORD,
            "POSTGRES_SERVING_ROLE": SERVING_ROLE,
        }

    def serving_environment(self, database: str) -> dict[str, str]:
        """Returns the variables with which a service connects to `database`."""
        return self.environment(database) | {"POSTGRES_USER": SERVING_ROLE}
