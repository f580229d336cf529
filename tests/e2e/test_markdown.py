"""The documents: each link has a target, and each test that SECURITY.md names exists."""

import pathlib
import re

import pytest

from microcart import ROOT

LINK = re.compile(r"\[([^]]*)\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TEST_FILE = re.compile(r"(?:.*/)?(?:test_\w+\.py|\w+_test\.cpp)")
DOCUMENTS = sorted(str(path.relative_to(ROOT))
                   for pattern in ("*.md", "docs/*.md") for path in ROOT.glob(pattern))


def text_of(document: pathlib.Path) -> str:
    return CODE_BLOCK.sub("", document.read_text(encoding="utf-8"))


def links(document: str) -> list[tuple[str, str]]:
    """Returns text and target of each link."""
    return LINK.findall(text_of(ROOT / document))


def anchors(document: pathlib.Path) -> set[str]:
    """Returns the anchors of the headings, in GitHub's form."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in HEADING.findall(text_of(document))}


def leads_somewhere(document: pathlib.Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = document.parent / path if path else document
    return file.exists() and (not anchor or anchor in anchors(file))


def defines(file: pathlib.Path, test: str) -> bool:
    """`test` is a Python function, or a GoogleTest `Suite.Name`."""
    if file.name == test:
        return True
    suite, _, name = test.rpartition(".")
    pattern = rf"^TEST(_F|_P)?\({suite},\s*{name}\)" if suite else rf"^def {test}\("
    return re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE) is not None


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document):
    assert [target for _, target in links(document)
            if "://" not in target and not leads_somewhere(ROOT / document, target)] == []


def test_every_test_is_there():
    named = [(text, path) for text, path in links("SECURITY.md") if TEST_FILE.fullmatch(path)]
    assert len(named) > 40
    assert [(text, path) for text, path in named
            if not re.fullmatch(r"`[\w.]+`", text) or not defines(ROOT / path, text[1:-1])] == []
