"""The pinned tools of these tests, installed into build/chart: Helm, which a Go toolchain from PyPI
builds, and schemas of Kubernetes' objects and of operators' custom resources."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from microcart import ROOT

PINS = Path(__file__).resolve().parent.parent / "tools"
DIRECTORY = ROOT / "build/chart"
HELM = DIRECTORY / "helm"
CRDS = DIRECTORY / "crds"
_VENV = DIRECTORY / "venv"
_GO = _VENV / "bin/go"


def install() -> None:
    """Installs everything, in some minutes; returns at once if it is there."""
    pins = b"".join(path.read_bytes() for path in sorted(PINS.iterdir()))
    mark = DIRECTORY / f"installed-{hashlib.sha256(pins).hexdigest()[:16]}"
    if mark.exists():
        return
    print("chart: installing Go, Helm and schemas into build/chart", file=sys.stderr, flush=True)
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    if not (_VENV / "bin/pip").exists():
        subprocess.run([sys.executable, "-m", "venv", _VENV], check=True)
    subprocess.run([_VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                    "--require-hashes", "--requirement", PINS / "requirements.txt"], check=True)
    _go("build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", HELM,
        "helm.sh/helm/v3/cmd/helm", cwd=PINS)
    shutil.rmtree(CRDS, ignore_errors=True)
    CRDS.mkdir()
    _copy_crds()
    for old in DIRECTORY.glob("installed-*"):
        old.unlink()
    mark.touch()


def kubernetes_schemas() -> Path:
    [directory] = _VENV.glob("lib/python3*/site-packages/kubernetes_validate/kubernetes-json-schema")
    return directory


def _copy_crds() -> None:
    source = Path()
    for line in (PINS / "crds.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            shutil.copy(source / line.strip(), CRDS)
        elif not line.startswith("#"):
            module, version, checksum = line.split()
            got = json.loads(_go("mod", "download", "-json", f"{module}@{version}", cwd=DIRECTORY))
            if got["Sum"] != checksum:
                raise RuntimeError(f"{module} {version} has the checksum {got['Sum']}")
            source = Path(got["Dir"])


def _go(*arguments, cwd: Path) -> str:
    return subprocess.run([_GO, *arguments], cwd=cwd, check=True, text=True, stdout=subprocess.PIPE,
                          env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""}).stdout
