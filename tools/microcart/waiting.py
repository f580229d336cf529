"""Waiting for a condition, without guessing how long it takes."""

import time

from microcart.processes import Failure


def eventually(condition, seconds: float = 10, describe=lambda: "it did not happen in time",
               sleep=time.sleep, interval: float = 0.02):
    """Polls `condition` until it is truthy and returns that value.

    Raises Failure with the text of `describe` after `seconds`, and whatever `condition` and `sleep`
    raise.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(describe())
        sleep(interval)
