"""Debian's nginx with deploy/nginx.conf."""

import pathlib
import re
import shutil
import subprocess
import tempfile

import httpx

from microcart import ROOT
from microcart.network import free_port
from microcart.waiting import eventually

CUSTOMERS = "customers.store.example.com"
CART = "cart.store.example.com"
SCAFFOLD = """
pid {directory}/pid;
error_log {directory}/error.log;
worker_processes 1;
daemon off;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/microcart.conf;
}}
"""


def _servers(ports: list[int]) -> str:
    """Returns an upstream's servers: one, or several as the comment of the example has them."""
    options = " fail_timeout=1s" if len(ports) > 1 else ""
    return " ".join(f"server 127.0.0.1:{port}{options};" for port in ports)


class Nginx:
    """nginx with the example's configuration, with other ports, paths and upstreams. `changes` are
    further replacements, as pairs of a regular expression and a text."""

    def __init__(self, customers_ports: list[int], cart_ports: list[int],
                 changes: tuple[tuple[str, str], ...] = ()):
        # Readable for nginx's workers, which are not root.
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="microcart-nginx-", dir="/tmp"))
        self._directory.chmod(0o755)
        self.http, self.https = free_port(), free_port()
        key, certificate = self._directory / "key.pem", self._directory / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-noenc", "-days", "1", "-subj", "/CN=test", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
            check=True, capture_output=True)
        self.certificate = str(certificate)
        self.access_log = self._directory / "microcart.log"
        text = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
        for found, used in (
                (r"server 127\.0\.0\.1:8081;", _servers(customers_ports)),
                (r"server 127\.0\.0\.1:8082;", _servers(cart_ports)),
                (r"listen 80;", f"listen 127.0.0.1:{self.http};"),
                (r"listen 443 ", f"listen 127.0.0.1:{self.https} "),
                (r"/etc/letsencrypt/\S+/fullchain.pem", str(certificate)),
                (r"/etc/letsencrypt/\S+/privkey.pem", str(key)),
                (r"/var/log/nginx/microcart.log", str(self.access_log)),
                *changes):
            text, count = re.subn(found, used, text)
            assert count, f"deploy/nginx.conf no longer has {found}"
        (self._directory / "microcart.conf").write_text(text, encoding="utf-8")
        (self._directory / "nginx.conf").write_text(SCAFFOLD.format(directory=self._directory),
                                                    encoding="utf-8")
        command = ["/usr/sbin/nginx", "-p", str(self._directory), "-c",
                   str(self._directory / "nginx.conf"), "-e", str(self._directory / "error.log")]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        assert "[warn]" not in checked.stderr, checked.stderr
        self._process = subprocess.Popen(["setpriv", "--pdeathsig=TERM", "--", *command])
        eventually(lambda: self._answers(), 10)

    def call(self, method: str, host: str, path: str, **options) -> httpx.Response:
        """Sends a request over TLS to one of the names."""
        headers = {"Host": host, **options.pop("headers", {})}
        with httpx.Client(verify=self.certificate, trust_env=False) as client:
            return client.request(method, f"https://127.0.0.1:{self.https}{path}", headers=headers,
                                  **options)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        shutil.rmtree(self._directory)

    def _answers(self) -> bool:
        assert self._process.poll() is None, "nginx has ended"
        try:
            httpx.get(f"http://127.0.0.1:{self.http}/", trust_env=False)
            return True
        except httpx.TransportError:
            return False
