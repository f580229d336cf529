"""A sequential model of one cart and its products, for harness.linearizability.

What has to happen at one moment, and what may not:

- GET and checkout, and a comparison with If-Match or If-None-Match, concern the cart and its products
  at one moment.
- Any other write changes the cart at one moment. It looks at the products before and after, without
  holding them, so it may find a product on sale, and answer with prices, of other moments between its
  request and its answer. `operations` therefore makes several operations of it.

An ETag is a word that the services choose. The model learns it from an answer, and allows an answer
with it only where the cart's version, its lines and what is shown of the products are the same.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import combinations

from harness.linearizability import Operation


@dataclasses.dataclass(frozen=True)
class Line:
    product: int
    quantity: int
    id: int | None = None  # None until an answer has shown it.


@dataclasses.dataclass(frozen=True)
class Product:
    price: str
    is_active: bool = True
    stock: int | None = None

    def shown(self, quantity: int) -> "Shown":
        return self.price, self.is_active and (self.stock is None or self.stock >= quantity)


# What a line shows of its product: the price, and whether it is available.
Shown = tuple[str, bool]


# Requests. `tag` is If-Match, in Get If-None-Match.


@dataclasses.dataclass(frozen=True)
class Get:
    tag: str | None = None


@dataclasses.dataclass(frozen=True)
class Create:
    product: int
    quantity: int
    tag: str | None = None


@dataclasses.dataclass(frozen=True)
class Change:
    item: int
    product: int
    quantity: int
    tag: str | None = None


@dataclasses.dataclass(frozen=True)
class Remove:
    item: int
    product: int
    tag: str | None = None


@dataclasses.dataclass(frozen=True)
class Clear:
    tag: str | None = None


@dataclasses.dataclass(frozen=True)
class Put:
    product: int
    quantity: int
    tag: str | None = None


@dataclasses.dataclass(frozen=True)
class Add:
    product: int
    quantity: int
    tag: str | None = None


@dataclasses.dataclass(frozen=True)
class Merge:
    items: tuple[tuple[int, int], ...]
    tag: str | None = None


@dataclasses.dataclass(frozen=True)
class Checkout:
    tag: str


@dataclasses.dataclass(frozen=True)
class Edit:
    """An administrator changes some of a product's fields."""

    product: int
    fields: tuple[tuple[str, str | bool | int | None], ...]


@dataclasses.dataclass(frozen=True)
class Look:
    """A write's look at the products: these are on sale, those are not, these lines show this."""

    on_sale: tuple[int, ...] = ()
    off_sale: tuple[int, ...] = ()
    lines: tuple[Line, ...] = ()
    shown: tuple[Shown, ...] = ()


@dataclasses.dataclass(frozen=True)
class Answer:
    """`refused` names the fields of a 400. `lines` and `shown` are in order of product."""

    status: int
    lines: tuple[Line, ...] = ()
    shown: tuple[Shown, ...] = ()
    tag: str | None = None
    skipped: tuple[int, ...] = ()
    refused: tuple[str, ...] = ()
    checkout: int | None = None


NOT_ON_SALE = ("non_field_errors",)


def operations(began: int, ended: int | None, request, answer: Answer | None) -> Iterator[Operation]:
    """Returns the operations of one request, of which each happens at one moment."""
    def look(**seen) -> Operation:
        return Operation(began, ended, Look(**seen), is_read=True)

    if answer is None:
        if not isinstance(request, Get):
            yield Operation(began, None, request)
    elif answer.status == 400 and answer.refused == NOT_ON_SALE:
        yield look(off_sale=(request.product,))
    else:
        yield Operation(began, ended, request, answer,
                        is_read=isinstance(request, Get) or answer.status >= 300)
        if answer.status in (200, 201) and not isinstance(request, (Get, Checkout, Edit)):
            match request:
                case Merge(items):
                    bought = tuple(product for product, _ in items
                                   if product not in answer.skipped)
                    yield look(on_sale=bought, off_sale=answer.skipped)
                case Create(product) | Add(product):
                    yield look(on_sale=(product,))
                case Put(product, quantity) if quantity > 0:
                    yield look(on_sale=(product,))
            yield look(lines=answer.lines, shown=answer.shown)


@dataclasses.dataclass(frozen=True)
class State:
    """`lines` are in order of product. `tags` are the known ETags of the cart's present version, by
    what is shown of the products; `retired` are those of earlier versions. `checkouts` are the
    requested ETag, the id if it is known, and the lines of each."""

    products: tuple[tuple[int, Product], ...]
    lines: tuple[Line, ...] = ()
    tags: frozenset[tuple[tuple[Shown, ...], str]] = frozenset()
    retired: frozenset[str] = frozenset()
    checkouts: frozenset[tuple] = frozenset()

    def line(self, product: int) -> Line | None:
        return next((line for line in self.lines if line.product == product), None)

    def shown(self, lines: tuple[Line, ...]) -> tuple[Shown, ...]:
        products = dict(self.products)
        return tuple(products[line.product].shown(line.quantity) for line in lines)

    def tag(self) -> str | None:
        return dict(self.tags).get(self.shown(self.lines))

    def written(self, lines: Iterable[Line]) -> "State":
        """Returns the next version, with these lines."""
        return dataclasses.replace(
            self, lines=tuple(sorted(lines, key=lambda line: line.product)), tags=frozenset(),
            retired=self.retired | {tag for _, tag in self.tags})

    def learned(self, answer: Answer) -> "State | None":
        """Returns this state with what the answer says about it; None if it contradicts."""
        if [(line.product, line.quantity) for line in answer.lines] != [
                (line.product, line.quantity) for line in self.lines]:
            return None
        if any(known.id not in (None, line.id) for known, line in zip(self.lines, answer.lines)):
            return None
        if answer.tag in self.retired or any(
                (shown == answer.shown) != (tag == answer.tag) for shown, tag in self.tags):
            return None
        return dataclasses.replace(self, lines=answer.lines,
                                   tags=self.tags | {(answer.shown, answer.tag)})


def step(state: State, request, answer: Answer | None) -> Iterator[State]:
    """Returns the possible states after the request; none if the model forbids the answer."""
    match request:
        case Look(on_sale, off_sale, lines, shown):
            products = dict(state.products)
            if (all(products[product].is_active for product in on_sale)
                    and not any(products[product].is_active for product in off_sale)
                    and state.shown(lines) == shown):
                yield state
        case Edit(product, fields):
            products = dict(state.products)
            products[product] = dataclasses.replace(products[product], **dict(fields))
            yield dataclasses.replace(state, products=tuple(products.items()))
        case Get(tag):
            if answer.status == 304:
                learned = state if tag == state.tag() else None
            else:
                learned = state.learned(answer) if answer.shown == state.shown(state.lines) else None
                if learned and learned.tag() == tag is not None:
                    learned = None
            if learned:
                yield learned
        case Checkout():
            yield from _check_out(state, request, answer)
        case _:
            yield from _write(state, request, answer)


def _write(state: State, request, answer: Answer | None) -> Iterator[State]:
    for status, refused, lines in _outcomes(state, request, answer):
        if request.tag not in (None, state.tag()):
            # Of an item that has just been removed, the services may notice either first.
            is_gone = status == 404 and answer and answer.status == 404
            status, refused = 404 if is_gone else 412, ()
        if status >= 300:
            if answer and (answer.status, answer.refused) == (status, refused):
                yield state
        elif answer is None or status == answer.status == 204:
            yield state.written(lines)
        elif status == answer.status:
            learned = state.written(lines).learned(answer)
            if learned:
                yield learned


def _outcomes(state: State, request, answer: Answer | None):
    """Returns the possible statuses, refused fields and lines after a write without If-Match."""
    lines = {line.product: line for line in state.lines}

    def having(product: int, quantity: int) -> list[Line]:
        line = dataclasses.replace(lines.get(product) or Line(product, 0), quantity=quantity)
        return [line for line in ({**lines, product: line}).values() if line.quantity > 0]

    match request:
        case Create(product, quantity):
            yield (400, ("product_id",), ()) if product in lines else (
                201, (), having(product, quantity))
        case Change(item, product, quantity):
            yield (200, (), having(product, quantity)) if _is(lines.get(product), item) else (
                404, (), ())
        case Remove(item, product):
            yield (204, (), having(product, 0)) if _is(lines.get(product), item) else (404, (), ())
        case Clear():
            yield 204, (), ()
        case Put(product, quantity):
            yield 200, (), having(product, quantity)
        case Add(product, quantity):
            total = quantity + (lines[product].quantity if product in lines else 0)
            yield (200, (), having(product, total)) if total <= 5 else (400, ("quantity",), ())
        case Merge(items):
            # Without an answer it is not known which products it has found on sale.
            subsets = [subset for size in range(len(items) + 1)
                       for subset in combinations(items, size)] if answer is None else [
                tuple(item for item in items if item[0] not in answer.skipped)]
            for subset in subsets:
                merged = {**lines}
                for product, quantity in subset:
                    line = merged.get(product) or Line(product, 0)
                    merged[product] = dataclasses.replace(
                        line, quantity=max(quantity, line.quantity))
                yield 200, (), list(merged.values())


def _is(line: Line | None, item: int) -> bool:
    """An id that no answer has shown before this moment is nobody's."""
    return line is not None and line.id == item


def _check_out(state: State, request: Checkout, answer: Answer | None) -> Iterator[State]:
    for checkout in state.checkouts:
        tag, known, lines, shown = checkout
        if tag == request.tag:
            if answer is None:
                yield state
            elif (answer.status == 200 and known in (None, answer.checkout)
                  and (answer.lines, answer.shown) == (lines, shown)):
                yield dataclasses.replace(state, checkouts=state.checkouts - {checkout} | {
                    (tag, answer.checkout, lines, shown)})
            return
    shown = state.shown(state.lines)
    if request.tag != state.tag():
        status = 412
    elif not state.lines or not all(is_available for _, is_available in shown):
        status = 409
    else:
        status = 201
    if status != 201:
        if answer and answer.status == status:
            yield state
        return
    lines = tuple(dataclasses.replace(line, id=None) for line in state.lines)
    if answer is None or answer.status == 201 and (answer.lines, answer.shown) == (lines, shown):
        quantities = {line.product: line.quantity for line in lines}
        products = tuple((name, product if product.stock is None else dataclasses.replace(
            product, stock=product.stock - quantities.get(name, 0)))
            for name, product in state.products)
        yield dataclasses.replace(
            state.written(()), products=products, checkouts=state.checkouts | {
                (request.tag, answer.checkout if answer else None, lines, shown)})
