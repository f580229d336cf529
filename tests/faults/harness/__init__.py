"""Support for the tests of faults alone: proxies that misbehave, steady load, and a checker of
histories."""
