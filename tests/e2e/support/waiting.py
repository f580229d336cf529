"""Waiting for something to become true, without guessing how long it takes."""

import time


def eventually(condition, seconds: float = 10, describe=lambda: "it did not happen in time"):
    """Polls `condition` until it is truthy and returns that value; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, describe()
        time.sleep(0.02)
