"""The store as a fixture, which leaves nothing behind except the log of a failed test."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

pytest.register_assert_rewrite("store")

from microcart.processes import Failure, tail  # noqa: E402
from store import Store  # noqa: E402

LOGS = ("setup", "customers-db", "customers-migrate", "customers", "cart")

# Like Ctrl-C, this takes down everything that was started.
signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the logs to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()
    store = item.funcargs.get("store")
    if not report.failed or store is None:
        return
    for service in LOGS:
        try:
            report.sections.append((f"log of {service}", store.deployment.logs(service)[-2000:]))
        except Failure:
            pass
    log = store.deployment.log
    report.sections.append((f"the end of {log}", "\n".join(
        line[:300] for line in tail(log, 30).splitlines())))


@pytest.fixture(scope="session")
def store(request):
    os.environ.pop("MICROCART_TAG", None)  # The tag is in .env, as docs/deployment.md says.
    directory = Path(tempfile.mkdtemp(prefix="microcart-deployment-"))
    try:
        made = Store(directory)
    except BaseException:
        shutil.rmtree(directory)
        raise
    yield made
    made.remove()
    if not request.session.testsfailed:
        shutil.rmtree(directory)
