"""Debian's HAProxy with deploy/haproxy.cfg."""

import pathlib
import re
import shutil
import subprocess
import tempfile

from microcart import ROOT
from microcart.network import free_ports, listens
from microcart.processes import BARE_ENVIRONMENT, Command
from microcart.waiting import eventually


class HAProxy:
    """HAProxy with the example's configuration, with other ports, and two replicas of each service."""

    def __init__(self, customers_ports: list[int], cart_ports: list[int]):
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="microcart-haproxy-", dir="/tmp"))
        self.customers, self.cart = free_ports(2)
        text = (ROOT / "deploy/haproxy.cfg").read_text(encoding="utf-8")
        for found, used in (
                (r"bind 127\.0\.0\.1:8081", f"bind 127.0.0.1:{self.customers}"),
                (r"bind 127\.0\.0\.1:8082", f"bind 127.0.0.1:{self.cart}"),
                *((rf"192\.0\.2\.1{number}:8081", f"127.0.0.1:{port}")
                  for number, port in enumerate(customers_ports, start=1)),
                *((rf"192\.0\.2\.2{number}:8082", f"127.0.0.1:{port}")
                  for number, port in enumerate(cart_ports, start=1)),
                (r"/run/haproxy/admin.sock", str(self._directory / "admin.sock"))):
            text, count = re.subn(found, used, text)
            assert count, f"deploy/haproxy.cfg no longer has {found}"
        assert "192.0.2." not in text
        configuration = self._directory / "haproxy.cfg"
        configuration.write_text(text, encoding="utf-8")
        checked = subprocess.run(["/usr/sbin/haproxy", "-c", "-f", configuration],
                                 capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        assert "WARNING" not in checked.stderr, checked.stderr
        self._process = Command(["/usr/sbin/haproxy", "-db", "-f", configuration]).spawn(
            BARE_ENVIRONMENT, stdout=subprocess.DEVNULL)
        eventually(self._listens)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        shutil.rmtree(self._directory)

    def _listens(self) -> bool:
        assert self._process.poll() is None, "HAProxy has ended"
        return listens(self.customers) and listens(self.cart)
