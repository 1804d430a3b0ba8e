"""The blocks of code in the documentation: what each claims to be, its commands, and marks for the tests before it.

A mark is an HTML comment on the line before a block: `<!-- file: NAME -->` (the block is that file's content),
`<!-- run: background -->`, `<!-- run: prepared -->` (the test has done it), `<!-- unchecked: REASON -->`.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "policies").glob("*.md"),
        *(ROOT / "deploy").rglob("*.md"),
    ]
)
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\s*$")
_MARK = re.compile(r"^<!-- (?P<key>file|run|unchecked): (?P<value>.+?) -->$")
_ENDS = frozenset({"&&", "||", ";", "|", "&", "(", ")", ";;"})
_REDIRECTS = frozenset({">", ">>", "<", ">&", "2>", "&>"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block. `line` counts from 1 and is that of its first line of content."""

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return where it stands."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    lines = page.read_text("utf-8").splitlines()
    opened: tuple[int, str, str] | None = None
    for number, line in enumerate(lines):
        found = _FENCE.match(line)
        if opened is None and found:
            opened = number, found["language"], found["indent"]
        elif opened is not None and found and not found["language"]:
            start, language, indent = opened
            content = [row.removeprefix(indent) for row in lines[start + 1 : number]]
            mark = _MARK.match(lines[start - 1].strip()) if start else None
            yield Block(
                page=page,
                line=start + 2,
                language=language,
                text="\n".join(content) + "\n",
                marks={mark["key"]: mark["value"]} if mark else {},
            )
            opened = None


def outside_of_blocks(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a page that are in no fenced block, with their numbers from 1."""
    is_inside = False
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        if _FENCE.match(line):
            is_inside = not is_inside
        elif not is_inside:
            yield number, line


def lines_of(block: Block) -> list[str]:
    """Return the command lines of a block: in `console` those behind a `$`, in `bash` all; continued as one."""
    rows = block.text.splitlines()
    if block.language == "console":
        rows = [row.removeprefix("$ ") for row in rows if row.startswith("$ ")]
    joined = "\n".join(rows).replace("\\\n", " ")
    return [row for row in joined.split("\n") if row.strip() and not row.lstrip().startswith("#")]


def commands_in(line: str) -> list[list[str]]:
    """Return the words of each simple command of a line, without comments, redirects and variables before it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    skips_next = False
    for word in lexer:
        if word in _ENDS:
            commands.append([])
        elif word in _REDIRECTS:
            skips_next = True
        elif skips_next:
            skips_next = False
        elif commands[-1] or not re.match(r"^[A-Z_]+=", word):
            commands[-1].append(word)
    return [words for words in commands if words]
