"""A deployment of compose.yaml, driven through whatever compose and container engine there are.

Containers are found by the labels that every compose gives them, never by their names.
"""

import json
import os
import shlex
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from local.processes import Failure, say

ROOT = Path(__file__).resolve().parents[2]


def engine() -> tuple[list[str], list[str]]:
    """The compose and the container command: COMPOSE and CONTAINER, or what answers here."""
    compose, container = os.environ.get("COMPOSE"), os.environ.get("CONTAINER")
    if compose and container:
        return shlex.split(compose), shlex.split(container)
    if compose or container:
        raise Failure("set both COMPOSE and CONTAINER, or neither")
    if shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True,
                                                 check=False).returncode == 0:
        return ["docker", "compose"], ["docker"]
    if shutil.which("podman") and shutil.which("podman-compose"):
        return ["podman-compose"], ["podman"]
    raise Failure("neither a running docker nor podman with podman-compose is here")


class Deployment:
    """One project of compose, with volumes, networks and images of its own.

    `variables` are those of compose.yaml, and `root` is where that is; both can be changed between
    calls.
    """

    def __init__(self, project: str, variables: dict[str, str], log: Path):
        self.project = project
        self.variables = variables
        self.root = ROOT
        self._compose_command, self._container_command = engine()
        self._log = log

    def compose(self, *arguments: str) -> None:
        """Runs a command of compose; what it prints goes to the log. Not every compose tells by its
        exit status that it failed, so look at the effect."""
        # Podman's own image format has no health checks.
        environment = {**os.environ, "BUILDAH_FORMAT": "docker", **self.variables}
        with self._log.open("ab") as log:
            log.write(f"\n$ compose {shlex.join(arguments)}\n".encode())
            log.flush()
            status = subprocess.run([*self._compose_command, "-p", self.project, *arguments],
                                    cwd=self.root, env=environment,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    check=False).returncode
        if status != 0:
            raise Failure(f"compose {shlex.join(arguments)} failed ({status}); see {self._log}")

    def container(self, *arguments: str, stdin: bytes = b"", check: bool = True) -> bytes:
        """Runs a command of the container engine and returns what it prints."""
        done = subprocess.run([*self._container_command, *arguments], input=stdin,
                              capture_output=True, check=False)
        if check and done.returncode != 0:
            raise Failure(f"container {shlex.join(arguments)} failed ({done.returncode}):\n"
                          f"{(done.stdout + done.stderr).decode(errors='replace')}")
        return done.stdout

    def find(self, service: str) -> str:
        """The id of a service's container."""
        ids = self.container("ps", "--all", "--quiet", *self._filter(),
                             "--filter", f"label=com.docker.compose.service={service}").split()
        if len(ids) != 1:
            raise Failure(f"{service} has {len(ids)} containers; see {self._log}")
        return ids[0].decode()

    def inspect(self, kind: str, name: str) -> dict:
        return json.loads(self.container(kind, "inspect", name))[0]

    def execute(self, service: str, *command: str, stdin: bytes = b"") -> bytes:
        """Runs a command in a service's running container."""
        return self.container("exec", "--interactive", self.find(service), *command, stdin=stdin)

    def logs(self, service: str) -> str:
        done = subprocess.run([*self._container_command, "logs", self.find(service)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.stdout

    def remove(self) -> None:
        """Takes down all there is of this project, whatever state it is in."""
        self.container("rm", "--force", "--volumes",
                       *self.container("ps", "--all", "--quiet",
                                       *self._filter()).decode().split(), check=False)
        for kind in ("network", "volume"):
            for name in self.leftovers(kind):
                self.container(kind, "rm", name, check=False)

    def leftovers(self, kind: str) -> list[str]:
        return self.container(kind, "ls", "--quiet", *self._filter()).decode().split()

    def _filter(self) -> list[str]:
        return ["--filter", f"label=com.docker.compose.project={self.project}"]


def request(method: str, url: str, body: dict | None = None, token: str = "",
            headers: dict[str, str] | None = None) -> tuple[int, dict]:
    """Status and parsed body of an answer; (0, {}) if there was none."""
    headers = {"Content-Type": "application/json", **(headers or {})}
    if token:
        headers["Authorization"] = token
    content = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                urllib.request.Request(url, content, headers, method=method), timeout=10) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")
    except (OSError, ValueError):
        return 0, {}


def wait_for_status(url: str, status: int, seconds: float, token: str = "") -> tuple[int, dict]:
    """Asks until the answer has this status; the answer."""
    deadline = time.monotonic() + seconds
    while (answer := request("GET", url, token=token))[0] != status:
        if time.monotonic() > deadline:
            raise Failure(f"{url} answers {answer}, not {status}, for {seconds:g} s")
        time.sleep(0.2)
    return answer


def step(text: str) -> None:
    say(f"compose-test: {text}")
