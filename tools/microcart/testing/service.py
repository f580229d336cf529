"""The services' binaries as running processes."""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading

from microcart.network import request
from microcart.processes import Command
from microcart.services import SERVICES
from microcart.waiting import eventually

# Variables of sanitizer and coverage builds, the only ones of the caller's that are passed on.
_PASSED_ON = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS",
              "LLVM_PROFILE_FILE")


def run(binary: pathlib.Path, *arguments: str, environment: dict[str, str] | None = None,
        stdin: str = "", seconds: float = 30) -> subprocess.CompletedProcess:
    """Runs one command of a binary to its end."""
    return subprocess.run([str(binary), *arguments], env=_environment(environment or {}),
                          input=stdin, capture_output=True, text=True, timeout=seconds, check=False)


def _environment(settings: dict[str, str]) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, **settings}


class Service:
    """`<binary> serve` on free ports, which stay the same over restarts."""

    # The running ones, for the report of a failed test.
    running: list["Service"] = []

    def __init__(self, binary: pathlib.Path, environment: dict[str, str]):
        self.binary = binary
        self.name = binary.name
        self.environment = {"SERVICE_PORT": "0", "LISTEN_ADDRESS": "127.0.0.1", "WORKERS": "2",
                            "METRICS_PORT": "0",
                            **environment}
        self.port = 0
        self.grpc_port = 0
        self.metrics_port = 0
        self.process = None
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._changed = threading.Condition()
        self._may_read = threading.Event()
        self._may_read.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, until_ready: bool = True) -> "Service":
        first_line = len(self.stdout)
        self.process = Command([self.binary, "serve"]).spawn(
            _environment(self.environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, lines), daemon=True)
            for pipe, lines in ((self.process.stdout, self.stdout),
                                (self.process.stderr, self.stderr))]
        for reader in self._readers:
            reader.start()
        Service.running.append(self)
        self.port = self._listening(first_line, "http")
        self.environment["SERVICE_PORT"] = str(self.port)
        if SERVICES[self.name].serves_grpc:
            self.grpc_port = self._listening(first_line, "grpc")
            self.environment["GRPC_PORT"] = str(self.grpc_port)
        self.metrics_port = self._listening(first_line, "metrics")
        self.environment["METRICS_PORT"] = str(self.metrics_port)
        if until_ready:
            try:
                self.wait_ready()
            except BaseException:
                self.kill()
                raise
        return self

    def stop(self, seconds: float = 20) -> None:
        """Stops the process with SIGTERM, and expects a clean end."""
        self.process.send_signal(signal.SIGTERM)
        code = self.wait(seconds)
        assert code == 0, f"{self.name} ended with {code}:\n{self.report()}"

    def wait(self, seconds: float = 20) -> int:
        """Returns the exit code of a process that ends by itself; kills one that does not."""
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired as still_running:
            raise AssertionError(
                f"{self.name} still runs:\n{self.report()}") from still_running
        finally:
            self.process.kill()
            self.process.wait()
            self.read_on()
            for reader in self._readers:
                reader.join(timeout=5)
            if self in Service.running:
                Service.running.remove(self)

    def kill(self) -> None:
        """Kills the process, if it has not ended."""
        self.process.kill()
        self.wait()

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def pause(self) -> None:
        """Freezes the process: connections stay open, and nothing answers."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        eventually(lambda: all(re.search(r"\) T ", (task / "stat").read_text())
                               for task in tasks.iterdir()))

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop_reading(self) -> None:
        """From now on its output is read no more, and fills the pipes."""
        self._may_read.clear()

    def read_on(self) -> None:
        self._may_read.set()

    def readiness(self) -> int:
        """Returns the status of /readyz, 0 if nothing answers."""
        return request("GET", f"{self.url}/readyz").status

    def wait_ready(self, status: int = 200, seconds: float = 30) -> None:
        def as_asked() -> bool:
            assert self.alive(), f"{self.name} has ended:\n{self.report()}"
            return self.readiness() == status
        eventually(as_asked, seconds,
                   lambda: f"{self.name}'s readiness is not {status}:\n{self.report()}")

    def output(self) -> str:
        return "\n".join([*self.stdout, *self.stderr])

    def report(self, lines: int = 60) -> str:
        return "\n".join(["--- stdout", *self.stdout[-lines:], "--- stderr", *self.stderr[-lines:]])

    def _read(self, pipe, lines: list[str]) -> None:
        for line in pipe:
            self._may_read.wait()
            with self._changed:
                lines.append(line.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()

    def _listening(self, first_line: int, protocol: str) -> int:
        """Returns the port in the log's "listening" line for `protocol`."""
        def port() -> int:
            for line in self.stdout[first_line:]:
                if '"listening"' in line:
                    entry = json.loads(line)
                    if entry["message"] == "listening" and entry["protocol"] == protocol:
                        return entry["port"]
            return 0

        with self._changed:
            self._changed.wait_for(lambda: port() or not self.alive(), timeout=20)
        if not port():
            self.process.kill()
            self.wait()
            raise AssertionError(f"{self.name} does not listen:\n{self.report()}")
        return port()
