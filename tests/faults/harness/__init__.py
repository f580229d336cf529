"""What only the tests of faults need: proxies that misbehave, steady load."""
