"""Support of the tests in pytest: clusters, certificates, services, a checking client, accounts.

A suite gets its fixtures with `pytest_plugins = ["microcart.testing.fixtures"]`.
"""
