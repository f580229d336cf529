"""Runs the store outside of production, for `make run`, the tests and the benchmark.

Its modules need only Python's standard library, PostgreSQL and openssl:

  services      the table of the services, and the environment of each
  processes     programs that are started, watched and stopped
  postgres      private PostgreSQL clusters
  certificates  certificates of a development authority
  network       free ports, and one HTTP request
  waiting       waiting for a condition
  wrk           load from wrk

microcart.testing is for tests written in pytest, and needs the packages of [test].
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
