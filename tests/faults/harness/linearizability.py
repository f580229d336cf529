"""Decides whether the history of an object that many clients use at once is linearizable: whether all
operations can be put into one order, each at a moment between its request and its answer, in which a
sequential model of the object allows every answer.

The search is Wing and Gong's, with Lowe's memory of the configurations that it has been in; the
checkers Knossos and Porcupine do the same. Histories are checked for each object separately, because
a history is linearizable exactly if those of its objects are.
"""

import dataclasses
from collections.abc import Callable, Hashable, Iterable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Operation:
    """A request and its answer. If the outcome is unknown, `ended` and `answer` are None: the
    operation takes effect at some moment after `began`, or never. With `is_read`, this answer means
    that it has changed nothing, whatever the state was."""

    began: int
    ended: int | None
    request: Hashable
    answer: Any = None
    is_read: bool = False

    def __str__(self) -> str:
        return f"{self.began:>8} – {self.ended or '':<8} {self.request} → {self.answer or 'unknown'}"


_NEVER = float("inf")

# Returns the possible states after an operation in `state`; none if the model forbids the answer.
Step = Callable[[Hashable, Any, Any], Iterable[Hashable]]


@dataclasses.dataclass(frozen=True)
class Violation:
    """No order explains the history. `explained` is the longest order that was found for a part of
    it, which leads to `state`; there, none of `contradicting` is possible."""

    explained: list[Operation]
    state: Hashable
    contradicting: list[Operation]

    def __str__(self) -> str:
        return "\n".join(["not linearizable. In this order the model allows",
                          *map(str, self.explained), f"which leads to {self.state}, where it forbids",
                          *map(str, self.contradicting)])


class Undecided(Exception):
    """The search has met its bound of configurations."""


@dataclasses.dataclass(frozen=True)
class _Configuration:
    """The operations with the indexes in `done` (a set of bits) have taken effect. `parent` has all
    of them but the last one, `operation`."""

    done: int
    state: Hashable
    parent: "_Configuration | None" = None
    operation: Operation | None = None

    def order(self) -> list[Operation]:
        operations, configuration = [], self
        while configuration.parent is not None:
            operations.append(configuration.operation)
            configuration = configuration.parent
        return operations[::-1]


def check(history: Iterable[Operation], initial: Hashable, step: Step,
          bound: int = 100_000) -> Violation | None:
    """Returns None if the history is linearizable. Raises Undecided after `bound` configurations."""
    history = sorted(history, key=lambda operation: operation.began)
    answered = sum(1 << index for index, operation in enumerate(history)
                   if operation.ended is not None)
    stack = [_Configuration(0, initial)]
    seen = {(0, initial)}
    best = stack[0]
    while stack:
        configuration = stack.pop()
        if configuration.done & answered == answered:
            return None
        if configuration.done.bit_count() > best.done.bit_count():
            best = configuration
        for successor in _successors(configuration, history, step):
            key = (successor.done, successor.state)
            if key not in seen:
                seen.add(key)
                stack.append(successor)
        if len(seen) > bound:
            raise Undecided(f"{len(history)} operations have more than {bound} configurations")
    return Violation(best.order(), best.state,
                     [operation for _, operation in _next(best.done, history)])


def _next(done: int, history: list[Operation]) -> list[tuple[int, Operation]]:
    """Returns the operations that may come next, because no other one ended before they began. The
    one that ended first is the last, and so the first to be tried."""
    waiting = []
    first_end = _NEVER
    for index in range((~done & (done + 1)).bit_length() - 1, len(history)):
        operation = history[index]
        if operation.began > first_end:
            break
        if not done >> index & 1:
            waiting.append((index, operation))
            first_end = min(first_end, operation.ended or _NEVER)
    return sorted(((index, operation) for index, operation in waiting
                   if operation.began <= first_end),
                  key=lambda each: each[1].ended or _NEVER, reverse=True)


def _successors(configuration: _Configuration, history: list[Operation],
                step: Step) -> list[_Configuration]:
    successors = []
    unknown = set()
    for index, operation in _next(configuration.done, history):
        if operation.ended is None:
            if operation.request in unknown:
                continue  # An equal request, which began earlier, might as well be the one.
            unknown.add(operation.request)
        states = list(step(configuration.state, operation.request, operation.answer))
        made = [_Configuration(configuration.done | 1 << index, state, configuration, operation)
                for state in states
                # Without an effect, an unknown operation need not have happened yet.
                if operation.ended is not None or state != configuration.state]
        if operation.is_read and states == [configuration.state]:
            # If there is an order at all, there is one in which this read comes next.
            return made
        successors += made
    return successors
