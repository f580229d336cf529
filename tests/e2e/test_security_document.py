"""SECURITY.md says which test shows what: each is there, under its name."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[([^]]*)\]\(([^)#:]+)\)")
TEST_FILE = re.compile(r"(?:.*/)?(?:test_\w+\.py|\w+_test\.cpp)")


def links() -> list[tuple[str, str]]:
    """What each link shows, and the file that it leads to."""
    return LINK.findall((ROOT / "SECURITY.md").read_text(encoding="utf-8"))


def defines(file: pathlib.Path, test: str) -> bool:
    """`test` is a function of Python, or GoogleTest's `Suite.Name`."""
    if file.name == test:
        return True
    suite, _, name = test.rpartition(".")
    pattern = rf"^TEST(_F|_P)?\({suite},\s*{name}\)" if suite else rf"^def {test}\("
    return re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_every_link_leads_to_a_file():
    assert [path for _, path in links() if not (ROOT / path).is_file()] == []


def test_every_test_is_there():
    named = [(text, path) for text, path in links() if TEST_FILE.fullmatch(path)]
    assert len(named) > 40
    assert [(text, path) for text, path in named
            if not re.fullmatch(r"`[\w.]+`", text) or not defines(ROOT / path, text[1:-1])] == []
