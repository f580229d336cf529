pytest_plugins = ["microcart.testing.fixtures"]
