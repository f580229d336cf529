"""A deployment of compose.yaml, with any compose and container engine.

Containers are found by the labels that every compose sets, never by their names.
"""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

from microcart.processes import Failure


def engine() -> tuple[list[str], list[str]]:
    """Returns the commands for compose and containers: COMPOSE and CONTAINER, or ones that work."""
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
    """One project of compose, with its own volumes, networks and images.

    `root` is where compose.yaml is. `variables` are variables of it that are not in the file .env
    beside it; they can be changed between calls. `work` is a directory for files of its own.
    """

    def __init__(self, project: str, variables: dict[str, str], root: Path, work: Path):
        self.project = project
        self.variables = variables
        self.root = root
        self.log = work / "log"
        self.log.touch()
        compose_command, self._container_command = engine()
        self._compose_command = [*compose_command, "-p", project]
        # The `docker` of the scripts.
        self._bin = work / "bin"
        self._bin.mkdir()
        docker = self._bin / "docker"
        docker.write_text(f"""#!/bin/sh
[ "$1" = compose ] || exec {shlex.join(self._container_command)} "$@"
shift
if [ "$1 $2" = "exec -T" ]; then
  # podman-compose 1.0 mixes lines of its own into what a command prints.
  container=$({shlex.join(self._container_command)} ps --quiet {shlex.join(self._filter())} \\
    --filter "label=com.docker.compose.service=$3")
  shift 3
  exec {shlex.join(self._container_command)} exec --interactive "$container" "$@"
fi
exec {shlex.join(self._compose_command)} "$@"
""", encoding="utf-8")
        docker.chmod(0o755)

    def compose(self, *arguments: str) -> None:
        """Runs a command of compose; its output goes to the log. Not every compose reports a failure
        by its exit status, so look at the effect."""
        self._run([*self._compose_command, *arguments], f"compose {shlex.join(arguments)}")

    def script(self, text: str, **variables: str) -> None:
        """Runs shell commands beside compose.yaml; their `docker` is the command in use, and their
        `docker compose` is that of this project."""
        self._run(["bash", "-euo", "pipefail", "-c", text], text,
                  PATH=f"{self._bin}:{os.environ['PATH']}", **variables)

    def _run(self, command: list[str], shown: str, **variables: str) -> None:
        # Podman's own image format has no health checks.
        environment = {**os.environ, "BUILDAH_FORMAT": "docker", **self.variables, **variables}
        with self.log.open("ab") as log:
            log.write(f"\n$ {shown}\n".encode())
            log.flush()
            status = subprocess.run(command, cwd=self.root, env=environment,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    check=False).returncode
        if status != 0:
            raise Failure(f"{shown} failed ({status}); see {self.log}")

    def container(self, *arguments: str, stdin: bytes = b"", check: bool = True) -> bytes:
        """Runs a command of the container engine and returns its output."""
        done = subprocess.run([*self._container_command, *arguments], input=stdin,
                              capture_output=True, check=False)
        if check and done.returncode != 0:
            raise Failure(f"container {shlex.join(arguments)} failed ({done.returncode}):\n"
                          f"{(done.stdout + done.stderr).decode(errors='replace')}")
        return done.stdout

    def find(self, service: str) -> str:
        """Returns the id of a service's container."""
        ids = self.container("ps", "--all", "--quiet", *self._filter(),
                             "--filter", f"label=com.docker.compose.service={service}").split()
        if len(ids) != 1:
            raise Failure(f"{service} has {len(ids)} containers; see {self.log}")
        return ids[0].decode()

    def inspect(self, kind: str, name: str) -> dict:
        return json.loads(self.container(kind, "inspect", name))[0]

    def execute(self, service: str, *command: str, stdin: bytes = b"") -> bytes:
        """Runs a command in a service's running container."""
        return self.container("exec", "--interactive", self.find(service), *command, stdin=stdin)

    def program(self, service: str) -> str:
        """Returns a shell command that runs the service's binary in its container."""
        return shlex.join([*self._container_command, "exec", "--interactive", self.find(service),
                           f"/usr/bin/{service}"])

    def logs(self, service: str) -> str:
        done = subprocess.run([*self._container_command, "logs", self.find(service)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.stdout

    def remove(self) -> None:
        """Removes everything of this project, in whatever state it is."""
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
