"""The metrics (docs/operations.md): each figure grows by exactly the number of events, they are for
Prometheus alone, and the alerts, the dashboard and the documentation name existing metrics."""

import json
import pathlib
import re
import socket
import subprocess

import httpx
import pytest

from microcart import ROOT
from microcart.testing import tokens
from microcart.testing.accounts import PASSWORD, Accounts, fresh_email
from microcart.testing.client import Client
from microcart.network import free_port
from microcart.testing.metrics import Growth, Scrape
from microcart.testing.service import run
from microcart.waiting import eventually

REQUESTS = "http_server_requests_total"
DURATION = "http_server_request_duration_seconds"
STATEMENTS = "db_client_operation_duration_seconds_count"
CART = "/api/v1/cart/{user_id}/"
LOGIN = "/api/v1/auth/login/"


@pytest.fixture(scope="module")
def services(customers_service, cart_service):
    return {"customers": customers_service, "cart": cart_service}


# HTTP

def test_requests_by_route_method_and_status_class(cart_service, cart, carts, accounts):
    owner = carts.owner()
    stranger = accounts.create()
    grown = Growth(cart_service)
    for _ in range(7):
        cart.get(f"/api/v1/cart/{owner.id}/", owner.token).ok()
    for _ in range(3):
        assert cart.get(f"/api/v1/cart/{owner.id}/", stranger.token).status == 403
    cart.delete(f"/api/v1/cart/{owner.id}/", owner.token).ok(204)
    for method, status, count in (("GET", "2xx", 7), ("GET", "4xx", 3), ("GET", "5xx", 0),
                                  ("DELETE", "2xx", 1)):
        labels = {"method": method, "route": CART, "status": status}
        assert grown(REQUESTS, **labels) == count, labels
        assert grown(f"{DURATION}_count", **labels) == count
        assert grown(f"{DURATION}_bucket", le="+Inf", **labels) == count
    assert grown(REQUESTS) == 11


def test_buckets_agree_with_counts(services):
    for service in services.values():
        scrape = Scrape(service)
        histograms = [name for name, kind in scrape.types.items() if kind == "histogram"]
        assert len(histograms) >= 4
        for name in histograms:
            buckets: dict[tuple, list[float]] = {}
            for sample, labels, value in scrape.samples:
                if sample == f"{name}_bucket":
                    series = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
                    buckets.setdefault(series, []).append(value)
            for series, counts in buckets.items():
                assert counts == sorted(counts), (name, series)
                assert counts[-1] == scrape.value(f"{name}_count", **dict(series)), (name, series)


def test_durations_are_seconds(customers_service, customers, accounts):
    account = accounts.create()
    grown = Growth(customers_service)
    began = customers.post(LOGIN, body={"email": account.email, "password": PASSWORD})
    elapsed = began.response.elapsed.total_seconds()
    spent = grown(f"{DURATION}_sum", route=LOGIN, method="POST")
    hashing = grown("password_hash_duration_seconds_sum")
    assert 0.001 < hashing < spent < elapsed


def test_head_counts_with_get(cart_service, cart):
    grown = Growth(cart_service)
    cart.call("HEAD", "/api/v1/products/list/").ok()
    cart.get("/api/v1/products/list/").ok()
    assert grown(REQUESTS, method="GET", route="/api/v1/products/list/", status="2xx") == 2


def test_unknown_paths_are_one_series(cart_service, cart):
    grown = Growth(cart_service)
    for number in range(20):
        assert cart.get(f"/marked-path-{number}").status == 404
    assert cart.delete("/api/v1/products/list/").status == 405
    assert grown(REQUESTS, route="unknown", method="GET", status="4xx") == 20
    assert grown(REQUESTS, route="unknown", method="DELETE", status="4xx") == 1
    assert "marked-path" not in Scrape(cart_service).text


def test_refused_requests(customers_service):
    grown = Growth(customers_service)
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", customers_service.port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
    with socket.create_connection(("127.0.0.1", customers_service.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n")
        status = connection.recv(4096)[9:10].decode()
    expected = {"4xx": 2, "5xx": 0}
    expected[f"{status}xx"] += 1
    for status_class, count in expected.items():
        assert grown("http_server_refused_requests_total", status=status_class) == count
    assert grown(REQUESTS) == 0


def test_connections(cart_service):
    before = Scrape(cart_service).value("http_server_connections")
    grown = Growth(cart_service)
    connections = [socket.create_connection(("127.0.0.1", cart_service.port)) for _ in range(5)]
    eventually(lambda: grown("http_server_connections") == 5)
    assert grown("http_server_connections_accepted_total") == 5
    for connection in connections:
        connection.close()
    eventually(lambda: Scrape(cart_service).value("http_server_connections") == before)
    assert grown("http_server_connections_refused_total") == 0


def test_nothing_is_in_flight_afterwards(services, cart, carts):
    carts.owner()
    for service in services.values():
        scrape = Scrape(service)
        assert scrape.value("http_server_requests_in_flight") == 0
        # The statement that reads the schema's version may be in flight.
        for lane in ("key_read", "write", "search"):
            assert 0 <= scrape.value("db_client_operations_in_flight", lane=lane) <= 2


# Database

def test_statements_and_their_errors(cart_service, cart, carts):
    owner = carts.owner()
    grown = Growth(cart_service)
    for _ in range(4):
        cart.get(f"/api/v1/cart/{owner.id}/", owner.token).ok()
    carts.add(owner)
    body = {"product_id": 1, "quantity": 1}
    assert cart.post(f"/api/v1/cart-item/{owner.id}/create", owner.token, body).status == 400
    assert grown(STATEMENTS, statement="read_cart") == 4
    assert grown(STATEMENTS, statement="add_item") == 2
    errors = "db_client_operation_errors_total"
    assert grown(errors, statement="add_item", error="23") == 1
    assert grown(errors) == 1


def test_the_queue_has_a_limit_and_connections(services):
    for service in services.values():
        # Most connections for writes are made when the service is ready.
        scrape = eventually(lambda service=service: (now := Scrape(service)).value(
            "db_client_connections", lane="write") == 8 and now)
        for lane, connections, queue in (  # For two workers.
                ("key_read", 2, 8192), ("write", 8, 512), ("search", 2, 256)):
            assert scrape.value("db_client_connections", lane=lane) == connections
            assert scrape.value("db_client_operations_limit", lane=lane) == connections * queue
            assert scrape.value("db_client_connection_failures_total", lane=lane) == 0


# Tokens and passwords

def test_validation_on_both_sides(customers_service, cart_service, cart, carts):
    owner = carts.owner()
    asked, answered = Growth(cart_service), Growth(customers_service)
    for _ in range(6):
        cart.get(f"/api/v1/cart/{owner.id}/", owner.token).ok()
    for _ in range(2):
        assert cart.get(f"/api/v1/cart/{owner.id}/",
                        tokens.bearer(2_000_000_000)).status == 403
    cart.get("/api/v1/products/list/").ok()
    verdicts = "token_validation_client_verdicts_total"
    for outcome, count in (("accepted", 6), ("refused", 2), ("failed", 0)):
        assert asked(verdicts, outcome=outcome) == count
    assert asked("token_validation_client_duration_seconds_count") == 8
    assert Scrape(cart_service).value("token_validation_client_in_flight") == 0
    # The cart service's readiness checks are refused as well.
    verdicts = "token_validation_server_verdicts_total"
    assert answered(verdicts, outcome="accepted") == 6
    assert answered(verdicts, outcome="refused") >= 2
    assert answered(verdicts, outcome="failed") == 0
    assert asked("token_validation_client_batch_tokens_sum") >= 8
    assert answered("token_validation_server_batch_tokens_sum") >= 8


def test_password_hashes(customers_service, customers, accounts):
    account = accounts.create()
    grown = Growth(customers_service)
    for _ in range(3):
        accounts.login(account.email)
    customers.post(LOGIN, body={"email": fresh_email(), "password": PASSWORD})
    accounts.create()
    assert grown("password_hash_duration_seconds_count") == 5
    assert grown("password_hash_wait_seconds_count") == 5
    assert grown("password_hash_pool_refused_total") == 0
    scrape = Scrape(customers_service)
    assert scrape.value("password_hash_pool_pending") == 0
    assert scrape.value("password_hash_pool_limit") > 64


def test_a_full_hash_pool(customers_service):
    """Of more simultaneous logins than may wait, the excess is refused and counted."""
    def request() -> bytes:
        body = json.dumps({"email": fresh_email(), "password": PASSWORD})
        return (f"POST {LOGIN} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    logins = 2 * int(Scrape(customers_service).value("password_hash_pool_limit"))
    grown = Growth(customers_service)
    connections = [socket.create_connection(("127.0.0.1", customers_service.port), timeout=60)
                   for _ in range(logins)]
    for connection in connections:
        connection.sendall(request())
    statuses = []
    for connection in connections:
        with connection:
            statuses.append(connection.recv(4096)[9:12].decode())
    refused = statuses.count("503")
    assert refused > 0 and statuses.count("400") == logins - refused
    assert grown("password_hash_pool_refused_total") == refused
    assert grown("password_guesses_total", outcome="undecided") == refused
    assert grown("password_guesses_total", outcome="wrong") == logins - refused
    assert grown("password_hash_duration_seconds_count") == logins - refused
    assert grown(REQUESTS, route=LOGIN, status="5xx") == refused


def test_guesses(customers_binary, customers_environment, customers_database, start_service):
    service = start_service(customers_binary, customers_environment(
        customers_database, LOGIN_FAILURES_PER_ACCOUNT="2"))
    client = Client(service.url)
    account = Accounts(client).create()
    grown = Growth(service)
    statuses = [client.post(LOGIN, body={"email": account.email, "password": password}).status
                for password in (PASSWORD, "wrong one", "wrong two", "wrong three", PASSWORD)]
    client.close()
    assert statuses == [200, 400, 400, 429, 429]
    for outcome, count in (("right", 1), ("wrong", 2), ("throttled", 2), ("undecided", 0)):
        assert grown("password_guesses_total", outcome=outcome) == count, outcome


def test_without_customers(cart_binary, cart_environment, cart_database, start_service):
    """A token without a verdict counts as failed, and the dependency is named."""
    service = start_service(cart_binary, cart_environment(cart_database, 1), until_ready=False)
    eventually(lambda: service.readiness() == 503)
    eventually(lambda: Scrape(service).value("service_dependency_ready", dependency="database"))
    grown = Growth(service)
    client = Client(service.url)
    for _ in range(3):
        assert client.get("/api/v1/cart/1/", tokens.bearer(1)).status == 503
    client.close()
    assert grown("token_validation_client_verdicts_total", outcome="failed") == 3
    assert grown(REQUESTS, route=CART, status="5xx") == 3
    scrape = Scrape(service)
    assert scrape.value("service_ready") == 0
    assert scrape.value("service_dependency_ready", dependency="customers") == 0


# Process

def test_process_figures(services):
    for name, service in services.items():
        scrape = Scrape(service)
        process = pathlib.Path(f"/proc/{service.process.pid}")
        resident = int(re.search(r"VmRSS:\s+(\d+)", (process / "status").read_text())[1]) * 1024
        assert abs(scrape.value("process_resident_memory_bytes") - resident) < resident / 4
        descriptors = len(list((process / "fd").iterdir()))
        assert abs(scrape.value("process_open_fds") - descriptors) <= 3
        assert scrape.value("process_max_fds") >= scrape.value("process_open_fds")
        threads = len(list((process / "task").iterdir()))  # gRPC makes and ends some as it likes.
        assert abs(scrape.value("process_threads") - threads) <= 4
        assert scrape.value("service_ready") == 1
        version = run(service.binary, "version").stdout.split()[1]
        assert scrape.value("microcart_build_info", service=name, version=version) == 1


def test_start_time_is_steady_and_cpu_time_grows(cart_service, cart):
    first = Scrape(cart_service)
    for _ in range(200):
        cart.get("/api/v1/products/list/").ok()
    second = Scrape(cart_service)
    start = "process_start_time_seconds"
    assert first.value(start) == second.value(start)
    cpu = "process_cpu_seconds_total"
    assert first.value(cpu) < second.value(cpu) < first.value(cpu) + 60


# Access

def test_metrics_are_not_on_the_public_port(services, customers, cart):
    for client in (customers, cart):
        client.get("/metrics").refused(404, "404: Not Found")
        assert "/metrics" not in httpx.get(f"{client.url}/api/v1/docs/swagger.json").text
    for service in services.values():
        for path in ("/", "/healthz", "/api/v1/products/list/"):
            answer = httpx.get(f"http://127.0.0.1:{service.metrics_port}{path}")
            assert answer.status_code == 404
        with pytest.raises(OSError):  # METRICS_ADDRESS is 127.0.0.1.
            socket.create_connection(("127.0.0.2", service.metrics_port), timeout=5)


def test_nothing_personal_in_them(services, customers, cart, carts):
    owner = carts.owner(email="marked@example.com")
    secret = "marked-password-value"
    customers.post(LOGIN, body={"email": owner.email, "password": secret})
    customers.get(f"/api/v1/users/{owner.id}/", owner.token).ok()
    customers.get(f"/api/v1/users/list/?search={secret}", tokens.bearer(1))
    cart.get(f"/api/v1/cart/{owner.id}/?{secret}", owner.token)
    for service in services.values():
        scrape = Scrape(service)
        for hidden in ("@", "marked", owner.token.split()[1][:20], tokens.SECRET, "127.0.0.1"):
            assert hidden not in scrape.text, hidden
        values = {value for _, labels, _ in scrape.samples for label, value in labels.items()
                  if label not in ("le", "version", "compiler", "error")}
        assert [value for value in values if re.search(rf"\b{owner.id}\b", value)] == []


# Sequences

def test_ids_left(customers_binary, customers_environment, cluster, customers_template,
                  start_service):
    database = cluster.create("few_ids", customers_template)
    cluster.query(database, "SELECT setval('users_id_seq', 2147483647 - 5)")
    service = start_service(customers_binary, customers_environment(database))

    def left() -> float:
        return Scrape(service).value("db_sequence_ids_left", sequence="users_id_seq")
    eventually(lambda: "db_sequence_ids_left" in Scrape(service).text)
    assert left() == 5


def test_every_sequence_of_an_id_is_watched(services, cluster, customers_database, cart_database):
    for name, database in (("customers", customers_database), ("cart", cart_database)):
        sequences = {sequence for (sequence,) in
                     cluster.query(database, "SELECT sequencename FROM pg_sequences")}
        assert sequences
        eventually(lambda: "db_sequence_ids_left" in Scrape(services[name]).text)
        assert {labels["sequence"] for sample, labels, _ in Scrape(services[name]).samples
                if sample == "db_sequence_ids_left"} == sequences


# Alerts, dashboard and documentation

@pytest.fixture(scope="module")
def driven(services, customers, cart, carts, accounts):
    """The metrics of both services, after every kind of event."""
    owner = carts.owner()
    carts.add(owner)
    accounts.login(owner.email)
    cart.get("/unknown")
    for service in services.values():
        eventually(lambda: "db_sequence_ids_left" in Scrape(service).text)
    return {name: Scrape(service) for name, service in services.items()}


def test_names_follow_the_conventions(driven):
    for scrape in driven.values():
        done = subprocess.run(["promtool", "check", "metrics"], input=scrape.text,
                              capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


# The parts of a query that are not metrics: strings, matchers, durations, lists of labels, numbers.
_OTHER = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|without|ignoring)\s*\([^)]*\)')
_WORDS = {"and", "or", "unless", "bool", "offset"}


def names_in(query: str) -> set[str]:
    rest = _OTHER.sub(" ", _OTHER.sub(" ", query))
    return {name for name in re.findall(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()", rest)
            if name not in _WORDS}


def test_names_in_queries_are_found():
    query = 'sum by (a, le) (rate(b_total{c=~"d|e"}[5m])) / on (f) g_bucket > 0.5 or h'
    assert names_in(query) == {"b_total", "g_bucket", "h"}


def dashboard_queries() -> list[str]:
    dashboard = json.loads((ROOT / "deploy/grafana/microcart.json").read_text(encoding="utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert all(panel["title"] and panel["targets"] for panel in panels)
    return [target["expr"] for panel in panels for target in panel["targets"]] + [
        annotation["expr"] for annotation in dashboard["annotations"]["list"]]


def rules() -> str:
    return (ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8")


def rule_queries() -> list[str]:
    return re.findall(r"expr: (?:\|\n)?(.*?)\n +(?:for|labels):", rules(), re.DOTALL)


@pytest.mark.parametrize("queries, at_least", [(dashboard_queries, 30), (rule_queries, 11)],
                         ids=["dashboard", "rules"])
def test_queries_ask_for_what_is_exported(driven, queries, at_least):
    exported = {sample for scrape in driven.values() for sample, _, _ in scrape.samples} | {"up"}
    assert len(queries()) >= at_least
    for query in queries():
        assert names_in(query), query
        assert names_in(query) <= exported, query


@pytest.fixture(scope="module")
def prometheus(services, tmp_path_factory):
    """The API of a Prometheus with our configuration, but other ports and shorter intervals."""
    directory = tmp_path_factory.mktemp("prometheus")
    configuration = (ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8")
    for default, service in ((9081, services["customers"]), (9082, services["cart"])):
        configuration = configuration.replace(f"127.0.0.1:{default}",
                                              f"127.0.0.1:{service.metrics_port}")
    configuration = configuration.replace("interval: 15s", "interval: 1s")
    (directory / "prometheus.yml").write_text(configuration)
    (directory / "alerts.yml").write_text(rules())
    port = free_port()
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", "--", "prometheus",
             f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1") as api:
        def scraped() -> bool:
            assert process.poll() is None, (directory / "log").read_text()
            try:
                answer = api.get("/query", params={"query": "sum(up)"})
            except httpx.TransportError:
                return False
            found = answer.json()["data"]["result"] if answer.status_code == 200 else []
            return bool(found) and found[0]["value"][1] == "2"
        try:
            eventually(scraped, 60, lambda: (directory / "log").read_text())
            yield api
        finally:
            process.kill()
            process.wait()


def test_prometheus_takes_the_rules_and_the_dashboard(driven, prometheus):
    def found() -> list[dict]:
        groups = prometheus.get("/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]
    eventually(lambda: all(rule["health"] != "unknown" for rule in found()), 30)
    for rule in found():
        assert (rule["health"], rule["state"]) == ("ok", "inactive"), rule

    def result(query: str) -> list:
        query = query.replace("$__rate_interval", "1m").replace("$job", "customers|cart")
        answer = prometheus.get("/query", params={"query": query}).json()
        assert answer["status"] == "success", (query, answer)
        return answer["data"]["result"]

    # A rate needs two scrapes. There are no errors and no restarts.
    for query in dashboard_queries():
        assert result(query) == [] if "> 0" in query else eventually(lambda: result(query)), query


def test_every_metric_is_on_the_dashboard(driven):
    shown = {scrape.family(name) for query in dashboard_queries() for name in names_in(query)
             for scrape in driven.values()}
    left_out = {"process_virtual_memory_bytes"}
    exported = {name for scrape in driven.values() for name in scrape.types}
    assert exported - shown == left_out


def test_queries_group_by_labels_that_exist(driven):
    known = {"job", "instance", "le"} | {
        label for scrape in driven.values() for labels in scrape.labels().values()
        for label in labels}
    for query in dashboard_queries() + rule_queries():
        for group in re.findall(r"\bby \(([^)]*)\)", query) + re.findall(r"\{([^}]*)\}", query):
            used = set(re.findall(r"(\w+)(?==|!)", group) if "=" in group else
                       re.split(r",\s*", group))
            assert used <= known, query


def operations() -> str:
    return (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def test_the_documented_metrics_are_those_exported(driven):
    documented = {
        name: (kind, set(re.findall(r"`(\w+)`", labels)), where)
        for name, kind, labels, where in re.findall(
            r"^\| `(\w+)` \| (counter|gauge|histogram) \|([^|]*)\| (both|customers|cart) \|",
            operations(), re.MULTILINE)}
    exported: dict[str, tuple] = {}
    for service, scrape in driven.items():
        for name, kind in scrape.types.items():
            where = "both" if name in exported else service
            labels = scrape.labels()[name] | exported.get(name, (kind, set()))[1]
            exported[name] = (kind, labels, where)
    assert documented == exported


def test_every_alert_has_a_test_and_a_runbook():
    alerts = re.findall(r"- alert: (\w+)", rules())
    assert len(alerts) == len(set(alerts)) >= 11
    tested = (ROOT / "deploy/prometheus/alerts_test.yml").read_text(encoding="utf-8")
    for alert in alerts:
        firing = rf"alertname: {alert}\n +eval_time: \w+\n +exp_alerts:"
        assert re.search(firing, tested), alert
        assert f"runbook_url: docs/operations.md#{alert.lower()}\n" in rules()
        entry = re.search(rf"^### {alert}\n(.*?)(?=^##)", operations(), re.MULTILINE | re.DOTALL)
        assert entry and all(word in entry[1] for word in ("**Means.**", "**Look at.**", "**Do.**"))
    assert re.findall(r"^### (Microcart\w+)$", operations(), re.MULTILINE) == alerts
