"""The directory of results: JSON of each part, and a Markdown page of all parts with plots."""

import json
from pathlib import Path

from harness import plots
from harness.report import markdown

# Version of the JSON. The page leaves out files of older versions.
FORMAT = 2


def save(directory: Path, part: str, results: dict) -> None:
    """Writes one part, and a page of all parts that have been measured."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{part}.json").write_text(json.dumps({"format": FORMAT} | results, indent=1))
    page = ["# Benchmark results"]
    for path in sorted(directory.glob("*.json")):
        measured = json.loads(path.read_text())
        if measured.get("format") != FORMAT:
            continue
        page += [f"## {path.stem.capitalize()}", markdown(measured, "###"),
                 *(f"![{image.stem}]({image.name})"
                   for image in plots.draw(directory, path.stem, measured))]
    (directory / "README.md").write_text("\n\n".join(page) + "\n")
