"""Products may be kept by clients and caches: ETag, If-None-Match and PRODUCTS_MAX_AGE."""

import pytest

LIST = "/api/v1/products/list/"
ALL = "/api/v1/products/all/"
PAGES = [LIST, f"{LIST}?sort=-price&limit=2", f"{LIST}?search=product_0"]


def product_path(product: int) -> str:
    return f"/api/v1/products/{product}/"


def kept(cart, path: str, tag: str, method: str = "GET"):
    return cart.call(method, path, headers={"If-None-Match": tag})


@pytest.mark.parametrize("path", [*PAGES, product_path(1)])
def test_what_is_known_is_not_sent_again(cart, path):
    first = cart.get(path)
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "public, no-cache"
    for method in ("GET", "HEAD"):
        known = kept(cart, path, tag, method)
        assert (known.status, known.text) == (304, "")
        assert known.headers["ETag"] == tag
        assert known.headers["Cache-Control"] == first.headers["Cache-Control"]
        assert kept(cart, path, '"other"', method).status == 200


def test_pages_have_tags_of_their_own(cart):
    assert len({cart.get(path).headers["ETag"] for path in PAGES}) == len(PAGES)


def test_a_change_is_seen_at_once(cart, products):
    product = products.create()
    for path in (LIST, product_path(product)):
        tag = cart.get(path).headers["ETag"]
        products.change(product, price=f"{7 if path == LIST else 8}.00")
        changed = kept(cart, path, tag)
        assert changed.status == 200 and changed.headers["ETag"] != tag


def test_only_what_anybody_may_read_is_kept(cart, admin):
    assert cart.get(product_path(2_000_000_000)).headers["Cache-Control"] == "no-store"
    everything = cart.get(ALL, admin)
    assert everything.headers["Cache-Control"] == "no-store" and "ETag" not in everything.headers
