"""The roles of the databases: one migrates and owns the schema, another serves. The other tests
show that serving needs no more rights."""

import json

import psycopg
import pytest

from microcart.postgres import SUPERUSER
from microcart.testing.cluster import PASSWORD, ROLE, SERVING_ROLE
from microcart.testing.service import run

SERVICES = ["customers", "cart"]
WARNING = "the database role is a superuser"


@pytest.fixture
def start(request, start_service, cluster):
    """Starts a service with other variables for its database."""
    def started(name: str, **database: str):
        grpc_port = [] if name == "customers" else [
            request.getfixturevalue("customers_service").grpc_port]
        environment = request.getfixturevalue(f"{name}_environment")(
            request.getfixturevalue(f"{name}_database"), *grpc_port, **database)
        return start_service(request.getfixturevalue(f"{name}_binary"), environment)
    return started


def warnings(service) -> int:
    return sum(WARNING in json.loads(line)["message"] for line in service.stdout)


@pytest.mark.parametrize("name", SERVICES)
def test_the_role_that_serves_changes_no_schema(request, cluster, name):
    database = request.getfixturevalue(f"{name}_database")
    assert cluster.query(database, "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles"
                         " WHERE rolname = %s", SERVING_ROLE) == [(False, False, False)]
    tables = [table for table, in cluster.query(
        database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    assert "schema_migrations" in tables
    refused = [f"{action} {table}" for table in tables
               for action in ("DROP TABLE", "TRUNCATE", "ALTER TABLE IF EXISTS")]
    refused = [f"{statement} ADD COLUMN x integer" if statement.startswith("ALTER") else statement
               for statement in refused]
    refused += ["DELETE FROM schema_migrations", "CREATE TABLE x (id integer)",
                "UPDATE schema_migrations SET checksum = ''"]
    with psycopg.connect(host="127.0.0.1", port=cluster.port, dbname=database, user=SERVING_ROLE,
                         password=PASSWORD, autocommit=True) as connection:
        for statement in refused:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
        for table in tables:
            connection.execute(f"SELECT FROM {table} LIMIT 1")


@pytest.mark.parametrize("name", SERVICES)
def test_a_migration_needs_the_owner(request, cluster, name):
    database = request.getfixturevalue(f"{name}_database")
    done = run(request.getfixturevalue(f"{name}_binary"), "migrate", "down",
               environment=cluster.serving_environment(database))
    assert done.returncode == 1
    assert f'the role "{SERVING_ROLE}" lacks rights' in done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_one_role_may_migrate_and_serve(start, name):
    """A database of the reference has a single role."""
    service = start(name, POSTGRES_USER=ROLE)
    assert service.readiness() == 200
    assert warnings(service) == 0


@pytest.mark.parametrize("name", SERVICES)
def test_a_superuser_that_serves_is_warned_of_once(start, cluster, name):
    service = start(name, POSTGRES_HOST=str(cluster.data), POSTGRES_USER=SUPERUSER)
    assert service.readiness() == 200
    assert warnings(service) == 1
