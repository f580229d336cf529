"""The binaries as programs: configuration, commands, ports, shutdown."""

import fcntl
import json
import os
import pty
import re
import signal
import socket
import subprocess
import termios
import threading
import time

import httpx
import pytest

from microcart import ROOT
from microcart.testing import tokens
from microcart.testing.client import Client
from microcart.testing.cluster import PASSWORD as DATABASE_PASSWORD
from microcart.testing.health_rpc import health
from microcart.testing.metrics import Scrape
from microcart.testing.service import Service, run
from microcart.waiting import eventually


# Wrong settings of each service. They are reported before any connection to a database.
WRONG = {
    "SERVICE_PORT": "eighty",
    "METRICS_PORT": "ninety",
    "WORKERS": "-1",
    "LOG_LEVEL": "loud",
    "LOG_FORMAT": "xml",
    "DEBUG": "2",
    "SHUTDOWN_GRACE": "soon",
    "POSTGRES_HOST": "localhost:port",
    "POSTGRES_PORT": "99999",
    "POSTGRES_SSLMODE": "sometimes",
    "GRPC_PORT": "70000",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318",
    "OTEL_EXPORTER_OTLP_HEADERS": "marked-key-without-a-name",
    "OTEL_TRACES_SAMPLER": "sometimes",
}
WRONG_CUSTOMERS = {
    **WRONG,
    "LEGACY_API": "perhaps",
    "REPLACE_REFERENCE_HASHES": "sometimes",
    "JWT_EXPIRATION_DELTA_DAYS": "x",
    "PASSWORD_MIN_LENGTH": "6",
    "JWT_SECRET": "marked-but-short",
    "GRPC_CLIENTS": "cart,,orders",
    "GRPC_MAX_CONNECTION_AGE": "0",
}
WRONG_CART = {**WRONG, "CART_EXPIRY_DAYS": "-1", "PRODUCTS_MAX_AGE": "1h",
              "CUSTOMERS_HOST": "customers:0"}


@pytest.fixture(scope="module")
def environments(customers_environment, cart_environment, customers_database, cart_database):
    return {"customers": customers_environment(customers_database),
            "cart": cart_environment(cart_database, 1)}


@pytest.fixture(scope="module")
def binaries(customers_binary, cart_binary):
    return {"customers": customers_binary, "cart": cart_binary}


def fails(binary, environment: dict[str, str], *arguments: str) -> str:
    """Returns the error of a start that must fail at once."""
    began = time.monotonic()
    done = run(binary, *(arguments or ("serve",)), environment=environment, seconds=20)
    assert done.returncode > 0, done.stdout + done.stderr
    assert time.monotonic() - began < 10
    return done.stdout + done.stderr


# Configuration

@pytest.mark.parametrize("service, wrong", [("customers", WRONG_CUSTOMERS), ("cart", WRONG_CART)],
                         ids=["customers", "cart"])
def test_all_mistakes_are_told_at_once(binaries, environments, service, wrong):
    said = fails(binaries[service], {**environments[service], **wrong})
    assert [name for name in wrong if name not in said] == []
    assert "marked" not in said
    assert "POSTGRES_DB" not in said and "TLS_CA_FILE" not in said


@pytest.mark.parametrize("variable", list(WRONG_CUSTOMERS))
def test_one_mistake_names_its_variable_alone(binaries, environments, variable):
    said = fails(binaries["customers"],
                 {**environments["customers"], variable: WRONG_CUSTOMERS[variable]})
    assert [name for name in WRONG_CUSTOMERS if name in said] == [variable]


@pytest.mark.parametrize("ratio", ["half", "-0.1", "1.1"])
def test_a_wrong_share_of_traces(binaries, environments, ratio):
    said = fails(binaries["cart"], {**environments["cart"], "OTEL_TRACES_SAMPLER_ARG": ratio})
    assert f'OTEL_TRACES_SAMPLER_ARG is "{ratio}"' in said


@pytest.mark.parametrize("service", ["customers", "cart"])
def test_missing_settings_are_all_named(binaries, service):
    said = fails(binaries[service], {})
    expected = ["POSTGRES_DB", "POSTGRES_USER", "TLS_CA_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE"]
    expected += ["JWT_SECRET"] if service == "customers" else []
    assert [name for name in expected if name not in said] == []


@pytest.mark.parametrize("secret", [None, "", "x" * 31], ids=["missing", "empty", "31 bytes"])
def test_there_is_no_start_without_a_real_secret(binaries, environments, secret):
    environment = {name: value for name, value in environments["customers"].items()
                   if name != "JWT_SECRET"}
    if secret is not None:
        environment["JWT_SECRET"] = secret
    said = fails(binaries["customers"], environment)
    assert "JWT_SECRET" in said
    assert "32" in said or not secret


@pytest.mark.parametrize("variable", ["TLS_CA_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE"])
@pytest.mark.parametrize("service", ["customers", "cart"])
def test_unreadable_files_are_named(binaries, environments, service, variable):
    said = fails(binaries[service], {**environments[service], variable: "/nonexistent/file.pem"})
    assert variable in said or "/nonexistent/file.pem" in said


def test_secrets_from_files(binaries, environments, start_service, tmp_path):
    files = {"JWT_SECRET": tokens.SECRET, "POSTGRES_PASSWORD": DATABASE_PASSWORD}
    environment = {name: value for name, value in environments["customers"].items()
                   if name not in files}
    for name, value in files.items():
        (tmp_path / name).write_text(f"{value}\n")
        environment[f"{name}_FILE"] = str(tmp_path / name)
    client = Client(start_service(binaries["customers"], environment).url)
    client.get("/api/v1/users/1/", tokens.bearer(1)).ok()
    client.close()


@pytest.mark.parametrize("variable", ["JWT_SECRET_FILE", "POSTGRES_PASSWORD_FILE"])
def test_missing_secret_files_are_named(binaries, environments, variable):
    environment = {name: value for name, value in environments["customers"].items()
                   if name != variable.removesuffix("_FILE")}
    assert variable in fails(binaries["customers"], {**environment, variable: "/nonexistent"})


# Ports

def test_a_port_taken_by_another_program_is_named(binaries, environments):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for service in ("customers", "cart"):
            said = fails(binaries[service], {
                **environments[service], "SERVICE_PORT": port, "LISTEN_ADDRESS": "127.0.0.1"})
            assert port in said
        said = fails(binaries["customers"], {
            **environments["customers"], "SERVICE_PORT": "0", "GRPC_PORT": port})
        assert port in said


@pytest.mark.parametrize("variable", ["SERVICE_PORT", "GRPC_PORT", "METRICS_PORT"])
def test_a_port_taken_by_another_instance_is_named(binaries, environments, customers_service,
                                                   variable):
    port = customers_service.environment[variable]
    said = fails(binaries["customers"], {
        **environments["customers"], "SERVICE_PORT": "0", "LISTEN_ADDRESS": "127.0.0.1",
        variable: port})
    assert port in said


# Commands

@pytest.mark.parametrize("service", ["customers", "cart"])
def test_help(binaries, service):
    done = run(binaries[service], "--help")
    assert done.returncode == 0
    commands = ["serve", "migrate", "openapi", "healthcheck", "version"]
    commands += ["create-admin"] if service == "customers" else ["products"]
    assert [command for command in commands if command not in done.stdout] == []
    assert "example" in done.stdout.lower()
    for command in commands:
        done = run(binaries[service], command, "--help")
        assert (done.returncode, command in done.stdout) == (0, True), command


def test_the_readme_tells_every_variable(binaries):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = "".join(re.findall(r"^\| `.*? \|", readme, re.MULTILINE))
    told = "".join(run(binary, "--help").stdout + run(binary, "migrate", "--help").stdout
                   for binary in binaries.values())
    assert (set(re.findall(r"`([A-Z][A-Z_]+)`", table))
            == set(re.findall(r"(?:^  |\(Env:)([A-Z][A-Z_]+)\b", told, re.MULTILINE)))


def test_make_run_hands_on_variables_that_it_documents(binaries):
    source = (ROOT / "scripts/run").read_text(encoding="utf-8")
    found = re.search(r"^HANDED_ON = \((.*?)\)$", source, re.MULTILINE | re.DOTALL)
    handed_on = set(re.findall(r'"(\w+)"', found[1]))
    assert {"LOG_LEVEL", "LOG_FORMAT", "CORS_ORIGINS"} <= handed_on
    known = "".join(run(binary, "--help").stdout for binary in binaries.values())
    for text in (source.split('"""')[1], known):
        assert handed_on <= set(re.findall(r"\b[A-Z][A-Z_]+\b", text))


@pytest.mark.parametrize("arguments", [["frobnicate"], ["serve", "--frobnicate"], ["migrate"],
                                       ["migrate", "sideways"], ["migrate", "to"],
                                       ["migrate", "to", "x"]], ids=" ".join)
@pytest.mark.parametrize("service", ["customers", "cart"])
def test_wrong_usage(binaries, environments, service, arguments):
    fails(binaries[service], environments[service], *arguments)


@pytest.mark.parametrize("service", ["customers", "cart"])
def test_version_and_openapi_need_no_configuration(binaries, service):
    done = run(binaries[service], "version")
    assert (done.returncode, "1.0.0" in done.stdout) == (0, True), done.stderr
    done = run(binaries[service], "openapi")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["openapi"].startswith("3.")


def test_healthcheck(binaries, environments, customers_service):
    environment = {**environments["customers"], "SERVICE_PORT": str(customers_service.port)}
    assert run(binaries["customers"], "healthcheck", environment=environment).returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        for nobody in (port, "1"):
            done = run(binaries["customers"], "healthcheck",
                       environment={**environment, "SERVICE_PORT": nobody})
            assert done.returncode > 0


def test_healthcheck_of_a_service_that_is_not_ready(binaries, environments, start_service, cluster):
    empty = cluster.create("empty")
    service = start_service(binaries["customers"], {
        **environments["customers"], **cluster.environment(empty)}, until_ready=False)
    service.wait_ready(503)  # Not migrated.
    assert run(binaries["customers"], "healthcheck",
               environment=service.environment).returncode > 0
    done = run(binaries["customers"], "migrate", "up", environment=cluster.environment(empty))
    assert done.returncode == 0
    service.wait_ready(200)
    assert run(binaries["customers"], "healthcheck",
               environment=service.environment).returncode == 0


# create-admin

def create_admin(binary, environment, email: str, password: str):
    return run(binary, "create-admin", "--email", email, environment=environment,
               stdin=f"{password}\n")


def test_create_admin(binaries, environments, customers):
    made = create_admin(binaries["customers"], environments["customers"], "Root@Example.com",
                        "Пароль from stdin")
    assert made.returncode == 0, made.stderr
    assert "from stdin" not in made.stdout + made.stderr
    data = customers.post("/api/v1/auth/login/", body={
        "email": "root@example.com", "password": "Пароль from stdin"}).ok()
    assert (data["user"]["email"], data["user"]["is_admin"]) == ("Root@Example.com", True)
    customers.get("/api/v1/users/list/", data["token"]).ok()


@pytest.mark.parametrize("email, password, why", [
    ("ADMIN1@email.com", "long enough", "already exists"),
    ("no-address", "long enough", "email"),
    ("short@example.com", "short", "7"),
    ("empty@example.com", "", "password"),
], ids=["taken in another case", "no address", "short password", "no password"])
def test_create_admin_refuses(binaries, environments, cluster, customers_database, email, password,
                              why):
    before = cluster.query(customers_database, "SELECT count(*) FROM users")
    done = create_admin(binaries["customers"], environments["customers"], email, password)
    assert done.returncode > 0
    assert why in (done.stdout + done.stderr).lower()
    assert cluster.query(customers_database, "SELECT count(*) FROM users") == before


def test_create_admin_takes_a_file_of_windows(binaries, environments, customers):
    made = create_admin(binaries["customers"], environments["customers"], "crlf@example.com",
                        "long enough\r")
    assert made.returncode == 0, made.stderr
    customers.post("/api/v1/auth/login/", body={
        "email": "crlf@example.com", "password": "long enough"}).ok()


@pytest.mark.parametrize("password", [b"long enough \xff", b"long \0 enough"],
                         ids=["broken UTF-8", "NUL"])
def test_create_admin_takes_text_only(binaries, environments, password):
    done = subprocess.run([binaries["customers"], "create-admin", "--email", "bytes@example.com"],
                          env=environments["customers"], input=password + b"\n",
                          capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (
        1, b"customers: password: Not valid UTF-8 text.\n")


@pytest.mark.parametrize("ending", ["Ctrl-C", "SIGTERM", "a password"])
def test_create_admin_leaves_the_terminal_as_it_was(binaries, environments, ending):
    terminal, its_side = pty.openpty()

    def echoes() -> bool:
        return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)

    assert echoes()
    asking = subprocess.Popen(
        [binaries["customers"], "create-admin", "--email", f"{ending.replace(' ', '')}@example.com"],
        env=environments["customers"], stdin=its_side, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(its_side)
    eventually(lambda: not echoes())
    if ending == "SIGTERM":
        asking.send_signal(signal.SIGTERM)
    else:
        os.write(terminal, b"\x03" if ending == "Ctrl-C" else b"long enough\n")
    said = b"".join(asking.communicate(timeout=30))
    assert asking.returncode == {"Ctrl-C": -signal.SIGINT, "SIGTERM": -signal.SIGTERM,
                                 "a password": 0}[ending], said
    assert b"long enough" not in said
    assert echoes()
    os.close(terminal)


def test_create_admin_needs_an_email(binaries, environments):
    assert "--email" in fails(binaries["customers"], environments["customers"], "create-admin")


# The end

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("service", ["customers", "cart"])
def test_a_signal_ends_it_cleanly(binaries, environments, service, number, customers_service):
    environment = {**environments[service], "SERVICE_PORT": "0"}
    if service == "cart":
        environment["GRPC_PORT"] = str(customers_service.grpc_port)
    running = Service(binaries[service], environment).start()
    began = time.monotonic()
    running.process.send_signal(number)
    assert running.wait(15) == 0
    assert time.monotonic() - began < 5


def test_it_serves_on_when_nobody_reads_its_log_any_more(binaries, environments):
    service = Service(binaries["customers"], dict(environments["customers"])).start()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, service.process.stdout.fileno())  # Service reads this from now on.
    os.close(nothing)
    with httpx.Client(base_url=service.url) as client:
        for _ in range(4):
            client.get("/healthz").raise_for_status()
            time.sleep(0.3)  # A line is written at once, when none was for 200 ms.
    service.stop()


def log_lines(service: Service, count: int) -> None:
    """Has the service write this many long lines, one for each request."""
    batch = 100
    asked = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-ID: " + b"x" * 128 + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        for _ in range(0, count, batch):
            connection.sendall(asked * batch)
            answers = b""
            while answers.count(b"HTTP/1.1 200") < batch or not answers.endswith(b"}}"):
                received = connection.recv(65536)
                assert received
                answers += received


def test_a_reader_of_the_log_that_stalls_holds_up_nothing(binaries, environments):
    """Neither requests nor the end. What is lost is counted, and named when the reader is back."""
    requests = 20_000  # Their lines are more than the pipe and the service's buffer hold.
    service = Service(binaries["customers"], dict(environments["customers"])).start()
    service.stop_reading()
    log_lines(service, requests)
    dropped = Scrape(service).value("log_lines_dropped_total")
    assert 0 < dropped < requests
    service.read_on()

    def report() -> dict | None:
        return next((json.loads(line) for line in service.stdout if '"log lines dropped"' in line),
                    None)

    eventually(report)
    assert report()["total"] >= dropped
    service.stop()


def test_a_reader_of_the_log_that_stalls_does_not_keep_it_from_ending(binaries, environments):
    service = Service(binaries["customers"], dict(environments["customers"])).start()
    service.stop_reading()
    log_lines(service, 1000)
    service.stop()


def test_idle_connections_do_not_delay_the_end(binaries, environments):
    service = Service(binaries["customers"], dict(environments["customers"])).start()
    with httpx.Client(base_url=service.url) as kept, socket.create_connection(
            ("127.0.0.1", service.port)):
        kept.get("/healthz")
        began = time.monotonic()
        service.stop()
        assert time.monotonic() - began < 5


def test_what_is_in_flight_is_finished(binaries, environments, cluster, customers_database):
    service = Service(binaries["customers"], dict(environments["customers"])).start()
    answers = []
    with cluster.connect(customers_database, autocommit=False) as holder:
        holder.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        request = threading.Thread(target=lambda: answers.append(
            httpx.get(f"{service.url}/api/v1/users/1/", timeout=30,
                      headers={"Authorization": tokens.bearer(1)})))
        request.start()
        eventually(lambda: cluster.query(
            "postgres", "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND datname = %s", customers_database), 10)
        service.process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses_connections(service.port), 5)
        assert not answers and service.alive()
        holder.rollback()
    request.join(timeout=30)
    assert service.wait() == 0
    assert [answer.status_code for answer in answers] == [200]
    assert answers[0].headers.get("Connection", "").lower() == "close"


def test_passwords_that_wait_for_their_hash_do_not_outlive_it(binaries, environments):
    """Without any grace: threads that hash still run while the rest is taken apart, and must not
    use what is gone (which a build with ASan reports)."""
    service = Service(binaries["customers"], {
        **environments["customers"], "SHUTDOWN_GRACE": "0"}).start()
    waiting = 40 * (os.cpu_count() or 1)
    connections = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(waiting)]
    for number, connection in enumerate(connections):
        body = json.dumps({"email": f"grace{number}@example.com", "password": "long enough"})
        connection.sendall(b"POST /api/v1/users/create/ HTTP/1.1\r\nHost: x\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (len(body), body.encode()))
    eventually(lambda: Scrape(service).value("password_hash_pool_pending") > waiting / 2)
    service.stop()
    for connection in connections:
        connection.close()


def test_the_grace_is_spent_once(binaries, environments, certificates):
    """On requests and on calls together that outlast it."""
    grace = 2
    service = Service(binaries["customers"], {
        **environments["customers"], "SHUTDOWN_GRACE": str(grace)}).start()
    with health(service.grpc_port, certificates.cart.ca, certificates.cart) as client, \
            socket.create_connection(("127.0.0.1", service.port)) as slow:
        states = client.watch()
        next(states)
        slow.sendall(b"POST /api/v1/auth/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
        eventually(lambda: service.readiness() == 200)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.wait() == 0
        assert grace - 0.1 < time.monotonic() - began < grace + 1
        states.cancel()


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False
