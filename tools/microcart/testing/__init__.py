"""What the tests in pytest share: clusters, certificates, running services, a checking client, accounts.

A suite gets its fixtures with `pytest_plugins = ["microcart.testing.fixtures"]`.
"""
