"""A service's metrics, scraped and parsed (Prometheus' text format 0.0.4)."""

import re

from microcart.network import request

_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Scrape:
    """The samples of one scrape of a service."""

    def __init__(self, service):
        response = request("GET", f"http://127.0.0.1:{service.metrics_port}/metrics")
        assert response.status == 200, response
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        self.text = response.text
        self.types: dict[str, str] = {}
        self.samples: list[tuple[str, dict[str, str], float]] = []
        for line in self.text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                assert name not in self.types, name
                self.types[name] = kind
            elif not line.startswith("#"):
                name, labels, value = _SAMPLE.fullmatch(line).groups()
                self.samples.append((name, dict(_LABEL.findall(labels or "")), float(value)))

    def value(self, name: str, **labels: str) -> float:
        """Returns the sum of all samples of this name with these labels."""
        return sum(value for sample, found, value in self.samples
                   if sample == name and labels.items() <= found.items())

    def family(self, sample: str) -> str:
        """Returns the metric of a sample's name."""
        for suffix in ("_bucket", "_count", "_sum"):
            base = sample.removesuffix(suffix)
            if sample.endswith(suffix) and self.types.get(base) == "histogram":
                return base
        return sample

    def labels(self) -> dict[str, set[str]]:
        """Returns the names of each metric's labels."""
        names: dict[str, set[str]] = {name: set() for name in self.types}
        for sample, labels, _ in self.samples:
            names[self.family(sample)] |= labels.keys() - {"le"}
        return names


class Growth:
    """Returns the growth of the figures since the object was made."""

    def __init__(self, service):
        self._service = service
        self._before = Scrape(service)

    def __call__(self, name: str, **labels: str) -> float:
        return Scrape(self._service).value(name, **labels) - self._before.value(name, **labels)
