"""compose.yaml and the images as a deployment, from installation to removal.

The tests run in this order, each on the state that the previous ones left. Upgrades, secrets,
back-ups and the take-over use the very commands of docs/deployment.md.
"""

import os
import re
import shutil
import subprocess
import time

import pytest

from microcart import ROOT, certificates
from microcart.services import SERVICES
from microcart.waiting import eventually
from store import READY_SECONDS, RECOVERY_SECONDS, documented, wait_for_status

DUMPS = ROOT / "tests/fixtures/reference"
USERS = {"customers": "10001:10001", "cart": "10002:10002"}
DATABASES = [f"{service}-db" for service in SERVICES]
MAX_IMAGE_BYTES = 150_000_000
DESCRIPTORS = 16384
STOP_SECONDS = 10  # With no requests in progress.
LATER_VERSION = "99.1.2"
# Tests that need only the API, the demo data and the JWT secret. The first two expect unchanged
# demo data.
DEMO_CARTS = "test_cart.py::test_demo_carts"
API_TESTS = ("wire", "login", "tokens", "users_create", "users", "products", "cart", "cart_item")


@pytest.fixture(scope="session")
def settings(store):
    """The file that CUSTOMERS_ENV_FILE names while the store has demo data."""
    file = store.directory / "customers.env"
    # The API's tests guess more passwords than a single address may.
    file.write_text((ROOT / "deploy/customers.env").read_text(encoding="utf-8") +
                    "LOGIN_FAILURES_PER_ADDRESS=1000000\n", encoding="utf-8")
    return file


def test_the_images_are_built(store):
    store.deployment.compose("build")


@pytest.mark.parametrize("service", SERVICES)
def test_images(store, service):
    deployment, image = store.deployment, f"microcart/{service}:{store.version()}"
    found = deployment.inspect("image", image)
    print(f"{found['Size'] / 1e6:.0f} MB")
    assert found["Size"] <= MAX_IMAGE_BYTES
    config = found["Config"]
    assert config["User"] == USERS[service]
    assert config.get("Healthcheck") or found.get("Healthcheck")
    assert "org.opencontainers.image.title" in config["Labels"]
    printed = deployment.container("run", "--rm", "--read-only", "--cap-drop", "ALL", "--network",
                                   "none", image, "version").decode()
    assert printed.startswith(f"{service} ")
    nothing = deployment.container("run", "--rm", "--entrypoint", "/bin/sh", image, "-c",
                                   "echo a shell", check=False)
    assert b"a shell" not in nothing


def test_up_from_nothing_with_demo_data(store, settings):
    store.up(DEMO="true", CUSTOMERS_ENV_FILE=str(settings))


@pytest.mark.parametrize("container", [*SERVICES, *DATABASES, "renewal"])
def test_hardening(store, container):
    host = store.deployment.inspect("container", store.deployment.find(container))["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert any("no-new-privileges" in option for option in host["SecurityOpt"])
    assert host["Memory"] > 0
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    published = [port for port, bound in (host["PortBindings"] or {}).items() if bound]
    assert published == ([f"{SERVICES[container].port}/tcp"] if container in SERVICES else [])


@pytest.mark.parametrize("service", SERVICES)
def test_limits_health_and_secrets(store, service):
    deployment = store.deployment
    limits = deployment.inspect("container", deployment.find(service))["HostConfig"]["Ulimits"]
    assert [limit["Soft"] for limit in limits
            if limit["Name"].lower().endswith("nofile")] == [DESCRIPTORS]
    deployment.execute(service, f"/usr/bin/{service}", "healthcheck")
    assert deployment.execute(f"{service}-db", "ls", "/secrets").decode().split() == [
        "ca.crt", "patroni_password", "postgres_password", "service_password", "tls.crt", "tls.key"]


def assert_least_rights(store, service: str) -> None:
    """Asserts that all sessions of the service use TLS and the role that serves."""
    role = f"{service}_service"
    assert store.query(service, "SELECT DISTINCT usename, ssl FROM pg_stat_activity"
                       " JOIN pg_stat_ssl USING (pid) WHERE client_addr IS NOT NULL") == f"{role}|t"
    assert store.query(service, "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles"
                       f" WHERE rolname = '{role}'") == "f"
    assert store.query(service, "SELECT count(*) FROM pg_class"
                       f" WHERE relowner = '{role}'::regrole") == "0"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_logs_in_with_least_rights_over_tls(store, service):
    assert_least_rights(store, service)
    assert store.read_secret(f"{service}/postgres_password") != (
        store.read_secret(f"{service}-db/postgres_password"))


@pytest.mark.parametrize("service", SERVICES)
def test_an_impostor_of_a_database_is_refused(store, tmp_path, service):
    """One has the certificate of another authority, the other a certificate for another name. The
    database uses the right certificate again without a restart."""
    deployment = store.deployment
    if service == "cart":
        certificates.make(tmp_path, certificates.server("cart-db"))
        pair = {kind: (tmp_path / f"cart-db.{kind}").read_bytes() for kind in ("key", "crt")}
    else:
        pair = {kind: deployment.execute("renewal", "cat", f"/secrets/cart-db/tls.{kind}")
                for kind in ("key", "crt")}
    for kind, content in pair.items():
        file = f"/secrets/{service}-db/tls.{kind}"
        deployment.execute("renewal", "sh", "-c", f"cat >{file}.new && mv -f {file}.new {file}",
                           stdin=content)
    deployment.container("restart", deployment.find(f"{service}-db"))
    eventually(lambda: "certificate" in deployment.logs(service), RECOVERY_SECONDS,
               lambda: "the service reports no wrong certificate")
    wait_for_status(f"{store.urls[service]}/readyz", 503, RECOVERY_SECONDS)
    deployment.compose("run", "--rm", "setup")
    store.wait_ready(READY_SECONDS)


@pytest.mark.parametrize("tests", [
    [DEMO_CARTS, "test_tour.py"],
    [f"--deselect={DEMO_CARTS}", *(f"test_{name}.py" for name in API_TESTS)]],
    ids=["demo data", "API"])
def test_end_to_end_tests(store, tests):
    environment = os.environ | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "MICROCART_JWT_SECRET": store.read_secret("customers/jwt_secret"),
        "MICROCART_CART_PROGRAM": store.deployment.program("cart"),
        **{f"MICROCART_{SERVICES[name].variable('URL')}": url for name, url in store.urls.items()}}
    done = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-r", "fE", *tests],
                          cwd=ROOT / "tests/e2e", env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    print(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout[-6000:]


def test_no_secret_is_logged(store):
    secrets = {store.read_secret(path) for path in (
        "customers/jwt_secret", *(f"{service}/postgres_password" for service in SERVICES),
        *(f"{database}/postgres_password" for database in DATABASES))}
    assert len(secrets) == 1 + len(SERVICES) + len(DATABASES)
    assert all(re.fullmatch("[0-9a-f]{64}", secret) for secret in secrets)
    for container in ("setup", "renewal", *SERVICES, *DATABASES,
                      *(f"{service}-migrate" for service in SERVICES)):
        logs = store.deployment.logs(container)
        assert not any(secret in logs for secret in secrets), container


# Container → the services that are not ready without it. They stay up, and recover without help.
UNREADY_WITHOUT = {"customers-db": ["customers"], "cart-db": ["cart"], "customers": ["cart"],
                   "cart": [], "renewal": []}


@pytest.mark.parametrize("container", UNREADY_WITHOUT)
def test_kill_and_restart(store, container):
    token = store.token("nonadmin4@email.com")
    before = store.cart(4, token)
    killed = store.deployment.find(container)
    store.deployment.container("kill", killed)
    for service in UNREADY_WITHOUT[container]:
        wait_for_status(f"{store.urls[service]}/readyz", 503, RECOVERY_SECONDS)
        wait_for_status(f"{store.urls[service]}/healthz", 200, RECOVERY_SECONDS)
    store.deployment.container("start", killed)
    store.wait_ready()
    assert store.cart(4, token) == before


@pytest.mark.parametrize("service", SERVICES)
def test_stop_in_time(store, service):
    container = store.deployment.find(service)
    began = time.monotonic()
    store.deployment.container("stop", "--time", "40", container)
    seconds = time.monotonic() - began
    assert store.deployment.inspect("container", container)["State"]["ExitCode"] == 0
    assert seconds < STOP_SECONDS
    store.deployment.container("start", container)
    store.wait_ready()


def assert_version(store, version: str) -> None:
    for service in SERVICES:
        running = store.deployment.execute(service, f"/usr/bin/{service}", "version").decode()
        assert running.split() == [service, version]


def test_upgrade_and_back(store):
    """Upgrades to a later version, and goes back to the images of the previous one. Data, secrets
    and therefore tokens stay valid."""
    token = store.token("nonadmin4@email.com")
    store.request("cart", "POST", "/api/v1/cart-item/4/create", {"product_id": 1, "quantity": 2},
                  token)
    cart = store.cart(4, token)
    before = store.version()

    project = store.upstream / "CMakeLists.txt"
    version = r"VERSION ([\d.]+) LANGUAGES"
    text = project.read_text(encoding="utf-8")
    found = re.search(version, text)
    assert found, "CMakeLists.txt does not say the version where it did"
    project.write_text(re.sub(version, f"VERSION {LATER_VERSION} LANGUAGES", text),
                       encoding="utf-8")
    store.commit("A later version")

    store.deployment.compose("down")  # podman-compose needs it.
    assert store.request("customers", "GET", "/healthz").status == 0
    store.run("upgrade")
    assert_version(store, LATER_VERSION)
    assert store.cart(4, token) == cart

    store.deployment.compose("down")
    store.run("way-back", BEFORE=before)
    assert_version(store, found[1])
    assert store.cart(4, token) == cart


def test_change_of_secrets(store, settings):
    def status(token: str) -> int:
        return store.request("cart", "GET", "/api/v1/cart/4/", token=token).status

    def statuses() -> list[int]:
        """Returns the status of each token. The cart service needs a moment to reconnect to the
        customers service and its database."""
        found = []

        def are_served() -> bool:
            found[:] = map(status, tokens)
            return 503 not in found

        eventually(are_served, RECOVERY_SECONDS, lambda: f"tokens are answered {found}",
                   interval=0.2)
        return found

    tokens = [store.token("nonadmin4@email.com")]
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f"{text}JWT_SECRET_PREVIOUS_FILE=/secrets/jwt_secret_previous\n",
                        encoding="utf-8")
    store.run("jwt-secret-change")
    tokens.append(store.token("nonadmin4@email.com"))
    assert statuses() == [200, 200]
    settings.write_text(text, encoding="utf-8")
    store.run("jwt-secret-end")
    assert statuses() == [403, 200]
    store.run("jwt-secret-at-once")
    tokens.append(store.token("nonadmin4@email.com"))
    assert statuses() == [403, 403, 200]

    passwords = ("cart/postgres_password", "cart-db/postgres_password")
    before = [store.read_secret(path) for path in passwords]
    store.run("database-password")
    assert not {store.read_secret(path) for path in passwords} & set(before)
    assert statuses() == [403, 403, 200]


def test_a_store_with_a_single_role_gets_the_other(store):
    """Brings the store into the state in which an earlier version has left it."""
    token = store.token("nonadmin4@email.com")
    before = store.cart(4, token)
    owners = {service: store.read_secret(f"{service}-db/postgres_password") for service in SERVICES}
    store.deployment.script(documented("single-role"))
    for service in SERVICES:
        assert store.read_secret(f"{service}/postgres_password") == owners[service]
        store.query(service, f"DROP OWNED BY {service}_service; DROP ROLE {service}_service")
        store.deployment.execute("renewal", "sh", "-c", f"rm /secrets/{service}-migrate/*"
                                 f" /secrets/{service}-db/ca.crt /secrets/{service}-db/tls.*")
    store.deployment.compose("down")
    store.up()
    for service in SERVICES:
        assert store.read_secret(f"{service}-db/postgres_password") == owners[service]
        assert store.read_secret(f"{service}/postgres_password") != owners[service]
        assert_least_rights(store, service)
    assert store.cart(4, token) == before


def test_a_back_up_is_restored_into_new_volumes(store):
    token = store.token("nonadmin4@email.com")
    before = store.cart(4, token)
    secret = store.read_secret("customers/jwt_secret")
    store.run("backup")
    for name in ("secrets.tar", *(f"{service}.dump" for service in SERVICES)):
        assert (store.deployment.root / name).stat().st_mode & 0o777 == 0o600
    store.down()
    store.run("restore")
    # The restore ends all sessions, and no earlier token is signed with the present secret.
    assert store.read_secret("customers/jwt_secret") != secret
    answer = store.request("cart", "GET", "/api/v1/cart/4/", token=token)
    assert answer.status == 403, answer
    assert store.cart(4, store.token("nonadmin4@email.com")) == before
    # No id of the time after the back-up is given out again.
    created = store.request("customers", "POST", "/api/v1/users/create/", {
        "email": "later@example.com", "password": "a password of my own"})
    assert created.json()["data"]["id"] > 1_000_000


def test_up_from_nothing_without_demo_data(store):
    store.down()
    store.up(DEMO="false", CUSTOMERS_ENV_FILE="deploy/customers.env")
    for number in (1, 2):
        assert store.login(f"admin{number}@email.com").status == 400


def test_first_administrator(store):
    store.deployment.execute("customers", "/usr/bin/customers", "create-admin", "--email",
                             "owner@example.com", stdin=b"a password of my own\n")
    token = store.token("owner@example.com", "a password of my own")
    answer = store.request("customers", "GET", "/api/v1/users/list/", token=token)
    assert answer.status == 200
    assert [user["email"] for user in answer.json()["data"]] == ["owner@example.com"]


def test_throttling_behind_a_proxy(store):
    """A proxy on this machine reports the client's address, so one that guesses locks out no other."""
    def guess(address: str) -> int:
        return store.request("customers", "POST", "/api/v1/auth/login/",
                             {"email": "owner@example.com", "password": "a guess"},
                             headers={"X-Forwarded-For": address}).status

    assert [guess("203.0.113.1") for _ in range(11)] == [400] * 10 + [429]
    assert guess("203.0.113.2") == 400


def test_the_references_databases_are_taken_over(store):
    """The take-over uses .env files like the reference's."""
    store.down()
    directory = store.directory / "reference"
    for service, port, host in (("customers", 8081, "localhost"), ("cart", 8082, "postgres")):
        (directory / service).mkdir(parents=True)
        (directory / service / ".env").write_text(
            f"DEBUG=false\nSERVICE_PORT={port}\nGRPC_PORT=50051\nPOSTGRES_HOST={host}\n"
            f"POSTGRES_DB={service}_store\nPOSTGRES_USER=store\n"
            f"POSTGRES_PASSWORD=the-reference-{service}-password\n" + (
                "JWT_SECRET=the-secret-of-the-reference-0123456789\nJWT_EXPIRATION_DELTA_DAYS=14\n"
                if service == "customers" else "CUSTOMERS_HOST=127.0.0.1\nCUSTOMERS_PORT=50051\n"),
            encoding="utf-8")
        shutil.copy(DUMPS / f"{service}.sql", store.deployment.root)
    for variable in ("CUSTOMERS_ENV_FILE", "CART_ENV_FILE"):
        del store.deployment.variables[variable]
    store.deployment.script(documented("take-over").replace("/srv/reference", str(directory)))
    store.wait_ready(READY_SECONDS)
    for service in SERVICES:
        assert_least_rights(store, service)
    token = store.token("Mixed.Case@Example.com")
    assert store.cart(6, token)["total_price"] == "0.00"
    admin = store.token("admin1@email.com")
    assert store.cart(5, admin)["total_price"] == "1049.96"


def test_no_volume_is_left(store):
    store.down()
    assert not store.deployment.leftovers("volume")
