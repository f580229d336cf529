"""The checker of histories itself: it accepts what is linearizable, and finds what is not."""

import itertools
import random

import pytest

from harness import cart_model as cart
from harness.cart_model import Answer, Line, Product
from harness.linearizability import Operation, Undecided, check

INFINITE = 10**9


def register(value, request, answer):
    """A register that is written ("w", value) and read ("r",), and that no read changes."""
    if request[0] == "w":
        yield request[1]
    elif answer == value:
        yield value


def w(began, ended, value):
    return Operation(began, ended, ("w", value))


def r(began, ended, value):
    return Operation(began, ended, ("r",), value, is_read=True)


LINEARIZABLE = {
    "nothing": [],
    "one after the other": [w(1, 2, 1), r(3, 4, 1), w(5, 6, 2), r(7, 8, 2)],
    "a read during a write, before it": [w(1, 4, 1), r(2, 3, 0)],
    "a read during a write, after it": [w(1, 4, 1), r(2, 3, 1)],
    "writes at once, in either order": [w(1, 4, 1), w(2, 3, 2), r(5, 6, 1), r(7, 8, 1)],
    "reads at once that see a write in turn": [w(1, 9, 1), r(2, 5, 0), r(3, 8, 1)],
    "an unknown write that happened": [w(1, None, 1), r(2, 3, 1)],
    "an unknown write that never happened": [w(1, None, 1), r(2, 3, 0), r(4, 5, 0)],
    "an unknown write that happened late": [w(1, None, 1), r(2, 3, 0), w(4, 5, 2), r(6, 7, 1)],
    "a write that changes nothing when it begins": [
        w(1, 6, 0), w(2, 3, 1), r(4, 5, 1), r(7, 8, 0)],
    "unknown writes in their reverse order": [
        w(1, None, 1), w(2, None, 2), r(3, 4, 2), r(5, 6, 1)],
}

NOT_LINEARIZABLE = {
    "a read of nobody's value": [w(1, 2, 1), r(3, 4, 2)],
    "a lost write": [w(1, 2, 1), r(3, 4, 0)],
    "a value from the future": [r(1, 2, 1), w(3, 4, 1)],
    "back and forth": [w(1, 9, 1), r(2, 3, 1), r(4, 5, 0)],
    "two readers that see writes in different orders": [
        w(1, 4, 1), w(2, 3, 2), r(5, 6, 1), r(7, 8, 2)],
    "an unknown write that happened twice": [
        w(1, None, 1), r(2, 3, 1), w(4, 5, 2), r(6, 7, 1)],
    "an unknown write before its request": [r(1, 2, 1), w(3, None, 1)],
}


@pytest.mark.parametrize("history", LINEARIZABLE.values(), ids=LINEARIZABLE)
def test_linearizable(history):
    assert check(history, 0, register) is None


@pytest.mark.parametrize("history", NOT_LINEARIZABLE.values(), ids=NOT_LINEARIZABLE)
def test_not_linearizable(history):
    violation = check(history, 0, register)
    assert violation is not None
    assert "not linearizable" in str(violation)


def by_brute_force(history) -> bool:
    """Tries every order of every choice of the unknown operations."""
    unknown = [operation for operation in history if operation.ended is None]
    known = [operation for operation in history if operation.ended is not None]
    for size in range(len(unknown) + 1):
        for happened in itertools.combinations(unknown, size):
            for order in itertools.permutations([*known, *happened]):
                ends = [operation.ended or INFINITE for operation in order]
                if any(min(ends[index:]) < operation.began for index, operation in enumerate(order)):
                    continue
                states = {0}
                for operation in order:
                    states = {after for state in states
                              for after in register(state, operation.request, operation.answer)}
                if states:
                    return True
    return False


def test_agrees_with_brute_force():
    chance = random.Random(1)
    verdicts = set()
    for _ in range(2000):
        moments = chance.sample(range(100), 10)
        history = []
        for index in range(5):
            began, ended = sorted(moments[2 * index:2 * index + 2])
            value = chance.randint(0, 2)
            if chance.random() < 0.5:
                history.append(r(began, ended, value))
            else:
                history.append(w(began, chance.choice([ended, None]), value))
        verdict = check(history, 0, register) is None
        assert verdict == by_brute_force(history), history
        verdicts.add(verdict)
    assert verdicts == {True, False}


def test_a_search_without_end_is_reported():
    history = [w(number, None, number) for number in range(1, 40)] + [r(50, 51, 100)]
    with pytest.raises(Undecided):
        check(history, 0, register, bound=1000)


# The model of a cart. Products 1 and 2 cost 5.00 each at the beginning.
PRODUCTS = ((1, Product("5.00")), (2, Product("5.00")))
FIVE, SIX = ("5.00", True), ("6.00", True)
GONE = ("5.00", False)


def shows(tag: str, *lines: tuple[int, int], prices=None, status: int = 200, **more) -> Answer:
    """Returns an answer with a cart of these products and quantities; items have their product's id."""
    return Answer(status, tuple(Line(*line, line[0]) for line in lines),
                  prices or (FIVE,) * len(lines), tag, **more)


def bought(checkout: int, *lines: tuple[int, int], status: int = 201) -> Answer:
    return Answer(status, tuple(Line(*line) for line in lines), (FIVE,) * len(lines),
                  checkout=checkout)


SIXTH = cart.Edit(1, (("price", "6.00"),))
INACTIVE = cart.Edit(1, (("is_active", False),))
EDITED = Answer(200)

# Each is a list of began, ended, request, answer.
POSSIBLE = {
    "put, add, get": [
        (1, 2, cart.Put(1, 2), shows("a", (1, 2))),
        (3, 4, cart.Add(1, 3), shows("b", (1, 5))),
        (5, 6, cart.Get(), shows("b", (1, 5))),
        (7, 8, cart.Get("b"), Answer(304)),
        (9, 10, cart.Add(1, 1), Answer(400, refused=("quantity",))),
        (11, 12, cart.Get("a"), shows("b", (1, 5)))],
    "one of two writers with one ETag": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 5, cart.Put(1, 2, "a"), shows("b", (1, 2))),
        (4, 6, cart.Put(1, 3, "a"), Answer(412))],
    "an unknown write": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, None, cart.Put(1, 2, "a"), None),
        (4, 5, cart.Get(), shows("a", (1, 1))),
        (6, 7, cart.Get(), shows("b", (1, 2))),
        (8, 9, cart.Put(1, 2, "a"), Answer(412))],
    "a repeated checkout": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, None, cart.Checkout("a"), None),
        (4, 5, cart.Put(2, 1), shows("b", (2, 1))),
        (6, 7, cart.Checkout("a"), bought(1, (1, 1), status=200)),
        (8, 9, cart.Checkout("a"), bought(1, (1, 1), status=200)),
        (10, 11, cart.Checkout("b"), bought(2, (2, 1)))],
    "a write's answer with the price before a change": [
        (1, 8, cart.Put(1, 1), shows("a", (1, 1))),
        (2, 3, SIXTH, EDITED),
        (4, 5, cart.Get(), shows("b", prices=())),
        (6, 7, cart.Get(), shows("c", (1, 1), prices=(SIX,)))],
    "a product that was on sale": [
        (1, 8, cart.Put(1, 1), shows("a", (1, 1), prices=(GONE,))),
        (2, 3, INACTIVE, EDITED),
        (4, 5, cart.Get(), shows("b", prices=()))],
    "a product off sale": [
        (1, 4, cart.Put(1, 1), Answer(400, refused=("non_field_errors",))),
        (2, 3, INACTIVE, EDITED)],
    "merged but for what is off sale": [
        (1, 2, INACTIVE, EDITED),
        (3, 4, cart.Merge(((1, 2), (2, 3))), shows("a", (2, 3), skipped=(1,))),
        (5, 6, cart.Merge(((2, 1),)), shows("b", (2, 3)))],
    "an item removed, then changed": [
        (1, 2, cart.Create(1, 1), shows("a", (1, 1), status=201)),
        (3, 4, cart.Remove(1, 1), Answer(204)),
        (5, 6, cart.Change(1, 1, 2), Answer(404))],
}

IMPOSSIBLE = {
    "an answer that mixes two moments": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 6, cart.Put(2, 1), shows("b", (1, 1), (2, 1))),
        (4, 5, cart.Clear(), Answer(204)),
        (7, 8, cart.Get(), shows("c", (2, 1)))],
    "two writers with one ETag": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 5, cart.Put(1, 2, "a"), shows("b", (1, 2))),
        (4, 6, cart.Put(1, 3, "a"), shows("c", (1, 3)))],
    "a write that keeps the ETag": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 4, cart.Put(1, 1), shows("a", (1, 1)))],
    "an ETag that returns": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 4, cart.Put(1, 2), shows("b", (1, 2))),
        (5, 6, cart.Put(1, 1), shows("a", (1, 1)))],
    "one state with two ETags": [
        (1, 2, cart.Get(), shows("a")),
        (3, 4, cart.Get(), shows("b"))],
    "two prices with one ETag": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 4, SIXTH, EDITED),
        (5, 6, cart.Get(), shows("a", (1, 1), prices=(SIX,)))],
    "the present ETag refused": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 4, cart.Put(1, 2, "a"), Answer(412))],
    "not modified, though it is": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 4, cart.Put(1, 2), shows("b", (1, 2))),
        (5, 6, cart.Get("a"), Answer(304))],
    "a refused write that changed something": [
        (1, 2, cart.Put(1, 4), shows("a", (1, 4))),
        (3, 4, cart.Add(1, 2), Answer(400, refused=("quantity",))),
        (5, 6, cart.Get(), shows("b", (1, 5)))],
    "a get with a price of the past": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 4, SIXTH, EDITED),
        (5, 6, cart.Get(), shows("a", (1, 1)))],
    "a write's answer with a price of the past": [
        (1, 2, SIXTH, EDITED),
        (3, 4, cart.Put(1, 1), shows("a", (1, 1)))],
    "bought after it went off sale": [
        (1, 2, INACTIVE, EDITED),
        (3, 4, cart.Put(1, 1), shows("a", (1, 1), prices=(GONE,)))],
    "checked out twice": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 4, cart.Checkout("a"), bought(1, (1, 1))),
        (5, 6, cart.Checkout("a"), bought(2, (1, 1)))],
    "checked out at a price of the past": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 4, SIXTH, EDITED),
        (5, 6, cart.Checkout("a"), bought(1, (1, 1)))],
    "checked out and still in the cart": [
        (1, 2, cart.Put(1, 1), shows("a", (1, 1))),
        (3, 4, cart.Checkout("a"), bought(1, (1, 1))),
        (5, 6, cart.Get(), shows("b", (1, 1)))],
    "sold beyond the stock": [
        (1, 2, cart.Edit(1, (("stock", 3),)), EDITED),
        (3, 4, cart.Put(1, 2), shows("a", (1, 2))),
        (5, 6, cart.Checkout("a"), bought(1, (1, 2))),
        (7, 8, cart.Put(1, 2), shows("b", (1, 2)))],
}


def operations(history):
    return [operation for each in history for operation in cart.operations(*each)]


@pytest.mark.parametrize("history", POSSIBLE.values(), ids=POSSIBLE)
def test_possible_cart(history):
    violation = check(operations(history), cart.State(PRODUCTS), cart.step)
    assert violation is None, str(violation)


@pytest.mark.parametrize("history", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_cart(history):
    assert check(operations(history), cart.State(PRODUCTS), cart.step) is not None
