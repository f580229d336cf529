"""What the tests of faults add to the end-to-end tests' support: proxies that misbehave, steady load."""
