"""The README's tour: shell blocks, each perhaps followed by the output it is said to print.

    <!-- tour:begin -->        Only blocks between these two lines are run.
    ```sh                      Runs with bash; variables last over the blocks.
    ```json or ```text         The output of the block before it; json compares as JSON.
    <!-- tour:end -->

Values that differ from run to run (tokens, timestamps, request ids) compare equal.
"""

import dataclasses
import json
import os
import re
import subprocess

_SECTION = re.compile(r"<!-- tour:begin -->\n(.*?)<!-- tour:end -->", re.DOTALL)
_BLOCK = re.compile(r"^```(sh|json|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_END_OF_STEP = "--- end of a step of the tour ---"
_VOLATILE = (
    (re.compile(r"Bearer [\w.…-]+"), "Bearer TOKEN"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"), "TIMESTAMP"),
    (re.compile(r"(?i)(x-request-id: )\S+"), r"\1ID"),
    (re.compile(r"(?im)^(date: ).+$"), r"\1DATE"),
)


@dataclasses.dataclass
class Step:
    script: str
    language: str | None = None  # Of `expected`: json or text; None if the step prints nothing.
    expected: str = ""


def parse(readme: str) -> list[Step]:
    section = _SECTION.search(readme)
    assert section, "no tour:begin and tour:end"
    steps: list[Step] = []
    for language, text in _BLOCK.findall(section[1]):
        if language == "sh":
            steps.append(Step(text))
        else:
            assert steps and steps[-1].language is None, f"output without its command: {text}"
            steps[-1].language, steps[-1].expected = language, text
    assert steps, "the tour has no commands"
    return steps


def run(steps: list[Step], environment: dict[str, str]) -> list[str]:
    """Runs all steps in one shell that stops at the first failure, and returns their output."""
    script = "set -euo pipefail\n" + "".join(
        f"{step.script}\necho '{_END_OF_STEP}'\n" for step in steps)
    done = subprocess.run(["bash", "-c", script], env={**os.environ, **environment},
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"the tour failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout.split(f"{_END_OF_STEP}\n")[:-1]


def same(step: Step, output: str) -> bool:
    """Returns whether a step printed the output that the README shows."""
    expected, printed = _normalise(step.expected), _normalise(output)
    if step.language == "json":
        return json.loads(expected) == json.loads(printed)
    return expected == printed


def _normalise(text: str) -> str:
    for pattern, replacement in _VOLATILE:
        text = pattern.sub(replacement, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
