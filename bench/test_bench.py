"""Tests of the benchmark itself: it runs, and its figures have the stated meaning."""

import http.server
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tools")]

from harness import measure, profile, report, scaling, scenarios, statements  # noqa: E402
from harness.stage import TOKEN_USERS, Size  # noqa: E402
from microcart import certificates, network  # noqa: E402
from microcart.processes import BARE_ENVIRONMENT, Command  # noqa: E402
from microcart.services import SERVICES, build_directory  # noqa: E402
from microcart.waiting import eventually  # noqa: E402

BUILD = build_directory()


class Server:
    """Answers each request, except while `stalled`. Has one thread for each connection."""

    def __init__(self, status: int = 200, body: str = "{}"):
        self.paths: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # One write, so that no delayed ACK comes between head and body.

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.go_on.wait()
                outer.paths.append(f"{self.command} {self.path}")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stall(self, after: float, seconds: float) -> None:
        def run():
            time.sleep(after)
            self.go_on.clear()
            time.sleep(seconds)
            self.go_on.set()
        threading.Thread(target=run, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def open_loop(tmp_path: Path, port: int, *options: str, requests: str = "GET\t/\t\t\n") -> dict:
    path = tmp_path / "requests"
    path.write_text(requests)
    done = subprocess.run([BUILD / "bench/bench_open_loop", path, "--port", str(port), *options],
                          check=True, capture_output=True, text=True, timeout=30)
    return json.loads(done.stdout)


def test_the_open_loop_shows_a_stall(tmp_path):
    """A fifth of the due requests fall into the stall and wait, on however few connections."""
    with Server() as server:
        server.stall(after=0.4, seconds=0.2)
        result = open_loop(tmp_path, server.port, "--rate", "200", "--seconds", "1",
                           "--connections", "4")
    assert result["errors"] == 0
    assert 190 <= result["requests"] <= 210
    assert result["percentiles"]["50"] < result["percentiles"]["90"]
    assert result["percentiles"]["90"] > 60
    assert result["percentiles"]["99"] > 150
    assert result["late_sends"] > 20


def test_the_open_loop_counts_what_is_never_answered(tmp_path):
    with Server() as server:
        server.go_on.clear()
        result = open_loop(tmp_path, server.port, "--rate", "50", "--seconds", "0.2",
                           "--connections", "4", "--drain", "0.3")
        server.go_on.set()
    assert result["errors"] == result["requests"] == result["arrivals"]
    assert result["percentiles"]["50"] > 300


def test_the_open_loop_counts_refusals_as_slow(tmp_path):
    """A quick failure must not make a server look fast."""
    with Server(status=503) as server:
        result = open_loop(tmp_path, server.port, "--rate", "50", "--seconds", "0.2",
                           "--drain", "0.7")
    assert result["errors"] == result["requests"] > 0
    assert result["percentiles"]["50"] >= 700
    assert result["per_second"] == 0


def test_the_open_loop_says_what_it_did(tmp_path):
    with Server() as server:
        result = open_loop(tmp_path, server.port, "--rate", "200", "--warm-up", "0.2",
                           "--seconds", "1", "--connections", "4")
    assert 190 <= result["arrivals"] <= 210
    assert result["per_second"] == pytest.approx(result["arrivals"], abs=10)
    assert 0 < result["cores"] < 1
    assert result["late_arrivals"] <= result["late_sends"] <= result["arrivals"]


def test_the_open_loop_follows_a_chain(tmp_path):
    with Server(body='{"id":1,"items":[{"id":2},{"id":73}]}') as server:
        result = open_loop(tmp_path, server.port, "--rate", "5", "--seconds", "0.1", requests=(
            "POST\t/items\tBearer x\t{}\n+DELETE\t/items/{id}/\tBearer x\t\n"))
    assert result["errors"] == 0
    assert server.paths == ["POST /items", "DELETE /items/73/"]


@pytest.fixture(scope="module", name="echo")
def _echo(tmp_path_factory):
    """Starts a server that accepts every token. Returns the options to reach it."""
    tls = tmp_path_factory.mktemp("tls")
    certificates.make(tls, *(spec.certificate() for spec in SERVICES.values()))
    port = network.free_port()

    def options(name: str) -> list:
        peer = certificates.peer(tls, name)
        return ["--port", str(port), "--ca", peer.ca, "--certificate", peer.certificate,
                "--key", peer.key]
    server = Command([BUILD / "bench/bench_validation_echo", *options("customers")]).spawn(
        BARE_ENVIRONMENT)
    eventually(lambda: network.listens(port))
    yield options("cart")
    server.terminate()
    server.wait()


def validation_load(tmp_path: Path, way: str, *options) -> dict:
    (tmp_path / "tokens").write_text("Bearer one\nBearer two\n")
    done = subprocess.run([BUILD / "bench/bench_validation_load", way, tmp_path / "tokens",
                           *options], check=True, capture_output=True, text=True, timeout=30)
    return json.loads(done.stdout)


@pytest.mark.parametrize("way", ("unary", "stream", "batch"))
def test_validations_are_counted(tmp_path, echo, way):
    result = validation_load(tmp_path, way, "--seconds", "0.3", *echo)
    assert result["errors"] == 0
    # All that were answered, some before and after the measured time.
    assert result["requests"] > 0.3 * result["per_second"] > 100


@pytest.mark.parametrize("way", ("unary", "stream", "batch"))
def test_validations_at_a_rate(tmp_path, echo, way):
    result = validation_load(tmp_path, way, "--rate", "500", "--warm-up", "0.1", "--seconds", "1",
                             *echo)
    assert result["errors"] == 0
    assert 380 <= result["arrivals"] == result["requests"] <= 620
    assert result["per_second"] == pytest.approx(result["arrivals"], abs=50)
    assert 0 < result["percentiles"]["50"] <= result["percentiles"]["99"]
    assert 0 < result["cores"] < 2


@pytest.mark.parametrize("store, source", [
    ("customers", "services/customers/src/store/user_store.cpp"),
    ("cart", "services/cart/src/store/cart_store.cpp"),
    ("checkouts", "services/cart/src/store/checkout_store.cpp"),
    ("products", "services/cart/src/store/product_store.cpp")])
def test_all_statements_are_printed(store, source):
    text = (ROOT / source).read_text()
    printed = statements.stores()[store]
    assert printed
    # A statement begins with its name and its lane, a read by key with its name and its SQL, a list
    # of products and a search for them with its name alone.
    declared = re.findall(
        r'\{\s*"(\w+)",\s*(?:Lane::|"SELECT|R"\()|(?:List|Search)InOrder<\w+, \w+>\(\s*"(\w+)"', text)
    assert sorted(printed) == sorted(filter(None, sum(declared, ())))
    for statement in printed.values():
        assert statement.sql.split()[0] in ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")


def test_every_load_finds_its_statements():
    stage = SimpleNamespace(size=Size(), tokens=["Bearer x"] * TOKEN_USERS, workers=2,
                            sign_tokens=lambda users, session: [f"Bearer {session}"] * users)
    for scenario in scenarios.SCENARIOS:
        assert scenario.load(stage) and scenario.yardstick(stage).title
    assert len(scaling.loads(stage, 1000)) == scaling.LOADS


def test_the_planning_is_printed():
    assert statements.statement("products", "list_products_by_id").planned_each_call
    assert not statements.statement("products", "list_products").planned_each_call


def test_a_read_by_key_has_one_value_for_each_key_in_its_yardstick():
    cart = statements.statement("cart", "read_cart").with_arguments(":cart")
    assert "FROM (VALUES (:cart::integer)) AS wanted (cart) CROSS JOIN" in cart
    user = statements.statement("customers", "find_signed_in_user").with_arguments("1", "2", "3")
    assert "FROM (VALUES (1::integer, 2::integer, 3::integer)) AS token (" in user


def test_the_yardstick_has_the_sessions_of_the_services():
    assert "-c jit=off" in statements.session_options()


def test_yardstick_and_service_take_turns_in_going_first():
    calls = []
    for number in (1, 2, 3):
        pair = measure.alternate(number, lambda: calls.append("yardstick") or 1,
                                 lambda: calls.append("service") or 2)
        assert pair == (1, 2)
    assert calls == ["yardstick", "service", "service", "yardstick", "yardstick", "service"]


def latency(**changed) -> dict:
    return {"arrivals": 2000, "late_arrivals": 0, "due_per_second": 100, "per_second": 100,
            "requests": 2000, "errors": 0} | changed


@pytest.mark.parametrize("changed, told", (
    ({}, ""),
    ({"late_arrivals": 19}, ""),
    ({"late_arrivals": 21}, "invalid: the generator was late"),
    ({"per_second": 96}, "invalid: the queue grew"),
    ({"requests": 999}, "only 999 samples"),
    ({"errors": 3}, "3 of 2000 failed")))
def test_doubtful_latencies_are_marked(changed, told):
    assert report.doubts(latency(**changed)) == told


def test_figures_of_a_busy_machine_or_of_no_commit_stay_out_of_the_document(monkeypatch):
    def why(dirty: bool, load: float) -> str | None:
        monkeypatch.setattr(report, "is_dirty", lambda: dirty)
        monkeypatch.setattr(report.os, "getloadavg", lambda: (load, 9, 9))
        return report.why_not_to_document()
    assert why(False, 0.4) is None
    assert "committed" in why(True, 0.4)
    assert "3.14" in why(False, 3.14)


def test_few_clients_wait_and_many_are_served():
    def point(clients: int, ratio: float, p50_ratio: float | None) -> dict:
        values = {"median": 1, "min": 1, "max": 1}
        return {"clients": clients, **dict.fromkeys(("service", "yardstick", "p50_ms", "p99_ms"),
                                                    values),
                "ratio": values | {"median": ratio},
                "p50_ratio": p50_ratio and values | {"median": p50_ratio}}

    table = report.sweep_table([point(1, 0.2, 1.7), point(4, 0.2, 1.9), point(64, 0.9, None),
                                point(256, 1.1, None)])
    assert report.missed([("Clients", table)]) == ["Clients: 1", "Clients: 64"]


@pytest.mark.parametrize("symbol, where, name, group", (
    ("_raw_spin_lock", "[kernel.kallsyms]", "_raw_spin_lock", "kernel"),
    ("_int_malloc", "libc.so.6", "_int_malloc", "malloc"),
    ("operator new(unsigned long)", "libstdc++.so.6", "operator new", "malloc"),
    ("__memmove_avx512", "libc.so.6", "__memmove_avx512", "C and C++ library"),
    ("google::protobuf::Arena::Free()", "cart", "google::protobuf::Arena::Free", "protobuf"),
    ("boost::asio::run<std::pair<int, (x)1> >(int&)", "cart", "boost::asio::run", "Boost"),
    ("cart::Do(std::function<void (int)>) const", "cart", "cart::Do", profile.OWN)))
def test_samples_of_a_profile_are_grouped(symbol, where, name, group):
    assert profile.without_arguments(symbol) == name
    assert profile.group(symbol, where) == group


def test_a_budget_that_is_missed_is_reported():
    table = [["what", "≤ 2"], ["page", report.verdict(True)], ["search", report.verdict(False)]]
    assert report.missed([("Rows", table)]) == ["Rows: search"]


def test_a_quick_run(tmp_path):
    done = subprocess.run(
        [ROOT / "bench/run", "--quick", "--scenario", "writes",
         "--build", BUILD, "--results", tmp_path],
        capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Add, change, remove an item" in done.stdout
    assert "left)" in done.stderr
    results = json.loads((tmp_path / "scenarios.json").read_text())
    assert [each["name"] for each in results["scenarios"]] == ["writes"]
    for each in results["scenarios"]:
        assert each["service"]["median"] > 0
        assert each["ratio"]["median"] == pytest.approx(
            each["service"]["median"] / each["yardstick"]["median"])
        assert each["errors"] == 0
        for load in ("half", "full"):
            assert each["latency"][load]["p99_ms"]["median"] > 0
            assert each["latency"][load]["cores"] > 0
            # Where the machine has other work, a few at full load find no place in a queue.
            assert each["latency"][load]["errors"] <= 0.01 * each["latency"][load]["requests"]
            percentiles = each["latency"][load]["percentiles"]
            assert 0 < percentiles["50"] <= percentiles["99"] <= percentiles["100"]
        assert each["cpu_us_per_request"]["cart"] > 0
        assert 5 < each["memory_mib"]["customers"]["peak"] < 500
    assert "| Add, change, remove an item |" in (tmp_path / "README.md").read_text()
    assert "| Add, change, remove an item | half |" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "scenarios-latency.svg").read_text().startswith("<?xml")
