"""The deployment under test, and its APIs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from deployment import Deployment
from microcart import ROOT
from microcart.network import Answer, free_ports, request
from microcart.services import SERVICES
from microcart.testing.accounts import DEMO_PASSWORD
from microcart.waiting import eventually

READY_SECONDS = 120
RECOVERY_SECONDS = 60


def documented(name: str) -> str:
    """Returns the commands of this name in docs/deployment.md."""
    text = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name}:begin -->\n```sh\n(.*?)```\n<!-- {name}:end -->", text,
                      re.DOTALL)
    assert found, f"docs/deployment.md has no commands {name!r}"
    return found[1]


def git(directory: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-c", "user.name=test", "-c", "user.email=test@localhost",
                           *arguments], cwd=directory, check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def wait_for_status(url: str, status: int, seconds: float) -> None:
    """Repeats the request until the answer has this status."""
    answer = None

    def answers() -> bool:
        nonlocal answer
        answer = request("GET", url)
        return answer.status == status

    eventually(answers, seconds, lambda: f"{url} answers {answer}, not {status}", interval=0.2)


class Store:
    """In `directory` are `upstream`, a repository of the sources, and `checkout`, the clone that is
    deployed."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.upstream, checkout = directory / "upstream", directory / "checkout"
        shutil.copytree(ROOT, self.upstream, ignore=shutil.ignore_patterns(
            ".git", ".run", "build", "build-*", "node_modules", "__pycache__"))
        git(self.upstream, "init", "--quiet")
        self.commit("The version before")
        git(directory, "clone", "--quiet", str(self.upstream), str(checkout))
        (checkout / ".env").write_text(f"MICROCART_TAG={self.version(checkout)}\n", encoding="utf-8")
        addresses = {name: f"127.0.0.1:{port}"
                     for name, port in zip(SERVICES, free_ports(len(SERVICES)))}
        self.urls = {name: f"http://{address}" for name, address in addresses.items()}
        self.deployment = Deployment(
            f"microcart-test-{os.getpid()}",
            {"DEMO": "false",
             **{SERVICES[name].variable("PUBLISH"): address for name, address in addresses.items()},
             **{spec.variable("ENV_FILE"): f"deploy/{name}.env"
                for name, spec in SERVICES.items()}}, checkout, directory)

    def commit(self, message: str) -> None:
        git(self.upstream, "add", "--all")
        git(self.upstream, "commit", "--quiet", "-m", message)

    def version(self, repository: Path | None = None) -> str:
        """Returns the tag of the images of the checked-out commit."""
        return git(repository or self.deployment.root, "rev-parse", "--short", "HEAD")

    def run(self, name: str, **variables: str) -> None:
        """Runs commands of docs/deployment.md, until the store is ready again."""
        self.deployment.script(documented(name), **variables)
        self.wait_ready(READY_SECONDS)

    def read_secret(self, path: str) -> str:
        return self.deployment.execute("renewal", "cat", f"/secrets/{path}").decode().strip()

    def query(self, service: str, statements: str) -> str:
        """Runs SQL as the owner of the service's database, and returns psql's unaligned output."""
        return self.deployment.execute(
            f"{service}-db", "sh", "-c",
            'psql -qXAt -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB"',
            stdin=statements.encode()).decode().strip()

    def up(self, **variables: str) -> None:
        self.deployment.variables |= variables
        self.deployment.compose("up", "--detach")
        self.wait_ready(READY_SECONDS)

    def down(self) -> None:
        """Removes the deployment with all data."""
        self.deployment.compose("down", "--volumes")

    def wait_ready(self, seconds: float = RECOVERY_SECONDS) -> None:
        for url in self.urls.values():
            wait_for_status(f"{url}/readyz", 200, seconds)

    def request(self, service: str, method: str, path: str, body: dict | None = None,
                token: str = "", headers: dict[str, str] | None = None) -> Answer:
        return request(method, f"{self.urls[service]}{path}", body, token, headers)

    def login(self, email: str, password: str = DEMO_PASSWORD) -> Answer:
        return self.request("customers", "POST", "/api/v1/auth/login/",
                            {"email": email, "password": password})

    def token(self, email: str, password: str = DEMO_PASSWORD) -> str:
        answer = self.login(email, password)
        assert answer.status == 200, f"{email} cannot log in: {answer}"
        return answer.json()["data"]["token"]

    def cart(self, user: int, token: str) -> dict:
        answer = self.request("cart", "GET", f"/api/v1/cart/{user}/", token=token)
        assert answer.status == 200, answer
        return answer.json()["data"]

    def remove(self) -> None:
        """Removes containers, volumes, networks, images and sources."""
        self.deployment.remove()
        for tag in git(self.upstream, "log", "--format=%h").split():
            for image in (*SERVICES, "setup"):
                self.deployment.container("image", "rm", "--force", f"microcart/{image}:{tag}",
                                          check=False)
        for repository in ("upstream", "checkout"):
            shutil.rmtree(self.directory / repository)
