"""The documentation of both services: the document, the page and its files, the redirects. The
page's behaviour in a browser is tested in tests/browser."""

import gzip
import json
import re

import httpx
import pytest

from microcart import ROOT

PAGE = "/api/v1/docs/"
DOCUMENT = "/api/v1/docs/swagger.json"


@pytest.fixture(scope="module", params=["customers", "cart"])
def service(request):
    return request.getfixturevalue(f"{request.param}_service")


@pytest.fixture(scope="module")
def http(service):
    with httpx.Client(base_url=service.url, headers={"Accept-Encoding": "identity"}) as client:
        yield client


@pytest.fixture(scope="module")
def page(http) -> str:
    response = http.get(PAGE)
    assert response.status_code == 200
    return response.text


@pytest.fixture(scope="module")
def files(page) -> list[str]:
    return [PAGE + name for name in re.findall(r'(?:href|src)="([^"]+\.[0-9a-f]{16}\.\w+)"', page)]


def test_document_is_the_kept_copy(http, service):
    response = http.get(DOCUMENT)
    assert response.headers["Content-Type"] == "application/json"
    kept = json.loads((ROOT / "docs/openapi" / f"{service.name}.json").read_text())
    assert response.json() == kept


def test_page_is_html_with_a_strict_policy(http):
    headers = http.get(PAGE).headers
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_page_names_nothing_elsewhere(page):
    assert "//" not in page


@pytest.mark.parametrize("suffix, content_type", [
    (".js", "text/javascript; charset=utf-8"), (".css", "text/css; charset=utf-8"),
    (".png", "image/png")])
def test_files_are_kept_for_ever(http, files, suffix, content_type):
    names = [name for name in files if name.endswith(suffix)]
    assert names
    for name in names:
        response = http.get(name)
        assert response.status_code == 200
        assert response.headers["Content-Type"] == content_type
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "X-Request-ID" in response.headers


def test_files_are_compressed_for_who_accepts_it(http, files):
    for name in files:
        plain = http.get(name)
        assert "Content-Encoding" not in plain.headers
        with http.stream("GET", name, headers={"Accept-Encoding": "br, gzip"}) as response:
            compressed = b"".join(response.iter_raw())
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
        assert response.headers["ETag"] != plain.headers["ETag"]
        assert gzip.decompress(compressed) == plain.content


def test_who_has_it_is_not_sent_it_again(http, files):
    for path in [DOCUMENT, PAGE, *files]:
        etag = http.get(path).headers["ETag"]
        again = http.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == etag
        assert http.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_of_the_page(http, page):
    head = http.head(PAGE)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(page.encode()))


def test_ways_there(http):
    redirect = http.get("/api/v1/docs")
    assert (redirect.status_code, redirect.headers["Location"]) == (308, PAGE)
    assert http.get("/").json() == {"data": {"documentation": PAGE, "openapi": DOCUMENT}}


def test_unknown_file_is_404(http):
    assert http.get(PAGE + "index.html").status_code == 404
    assert http.get(PAGE + "../../../../etc/passwd").status_code == 404
