"""The checker of answers against the OpenAPI documents reports every fault."""

import json

import httpx
import pytest

from microcart.testing import documents

LIST = "/api/v1/products/list/"
CART = "/api/v1/cart/3/"
PRODUCT = {"id": 1, "created": "2026-11-22T23:00:27.304648+00:00", "name": "a", "description": "",
           "price": "9.99", "sku": None, "image_url": None, "stock": None, "is_active": True}
PAGE = {"data": [PRODUCT], "next": None}
ERROR = {"error": {"code": "service_unavailable", "message": "503: Service Unavailable"}}
NOT_ALLOWED = {"error": {"code": "method_not_allowed", "message": "405: Method Not Allowed"}}
NOT_FOUND = {"error": {"code": "not_found", "message": "404: Not Found"}}


def answer(path: str, status: int, body=None, method: str = "GET", **headers: str):
    given = {"Content-Type": "application/json", "X-Request-ID": "1",
             "ETag": '"1"' if status == 200 else "",
             **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.Response(status, content=b"" if body is None else json.dumps(body).encode(),
                          headers={name: value for name, value in given.items() if value},
                          request=httpx.Request(method, "http://localhost" + path))


def page(**changes) -> dict:
    return {**PAGE, "data": [{**PRODUCT, **changes}]}


GOOD = {
    "page": answer(LIST + "?limit=1", 200, PAGE),
    "unavailable": answer(LIST, 503, ERROR, Retry_After="1"),
    "no content": answer(CART, 204, method="DELETE"),
    "HEAD": answer(LIST, 200, method="HEAD"),
    "OPTIONS": answer(LIST, 204, method="OPTIONS", Allow="GET, HEAD, OPTIONS"),
    "other method": answer(LIST, 405, NOT_ALLOWED, method="PUT", Allow="GET, HEAD, OPTIONS"),
    "the other service's": answer(LIST, 404, NOT_FOUND),
    "undocumented path": answer("/healthz", 200, {"anything": 1}),
}

BAD = {
    "undocumented status": answer(LIST, 418, ERROR),
    "wrong error code": answer(LIST, 500, ERROR),
    "missing member": answer(LIST, 200, {"data": []}),
    "unknown member": answer(LIST, 200, {**PAGE, "more": 1}),
    "unknown member within": answer(LIST, 200, page(colour="red")),
    "wrong type": answer(LIST, 200, page(price=9.99)),
    "wrong pattern": answer(LIST, 200, page(price="9.9")),
    "past int32": answer(LIST, 200, page(id=2**31)),
    "time without offset": answer(LIST, 200, page(created="2026-11-22T23:00:27")),
    "no request id": answer(LIST, 200, PAGE, X_Request_ID=""),
    "no ETag": answer(LIST, 200, PAGE, ETag=""),
    "no Retry-After": answer(LIST, 503, ERROR),
    "Retry-After of 0": answer(LIST, 503, ERROR, Retry_After="0"),
    "undocumented header": answer(LIST, 200, PAGE, Retry_After="1"),
    "wrong media type": answer(LIST, 200, PAGE, Content_Type="text/html"),
    "body on 204": answer(CART, 204, {}, method="DELETE"),
    "code of another status": answer(CART, 403, NOT_ALLOWED),
    "other method's success": answer(LIST, 200, PAGE, method="PUT"),
    "405 without Allow": answer(LIST, 405, NOT_ALLOWED, method="PUT"),
}


@pytest.mark.parametrize("response", GOOD.values(), ids=GOOD)
def test_accepts(response):
    documents.check(response)


@pytest.mark.parametrize("response", BAD.values(), ids=BAD)
def test_refuses(response):
    with pytest.raises(AssertionError):
        documents.check(response)
