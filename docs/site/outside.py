"""A hook of MkDocs: what pages link to outside of `docs/` (example configuration, schemas, code) goes with the site.

So the same links hold on a code host, in an editor and on the built site, which asks nobody else for anything.
Files get below `repository/`, pages among them are rendered. A link to a folder becomes plain words.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = "repository"

_LINK = re.compile(r"(?P<text>\[[^\]\n]*\])\((?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
_CODE = re.compile(r"(^```.*?^```)", re.M | re.S)


def on_files(files: Files, *, config: Any) -> Files:
    """Add what is linked to and lies outside."""
    waiting = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    known = set(waiting)
    while waiting:
        path = waiting.pop()
        for target in _targets(path, (ROOT / path).read_text("utf-8")):
            if target in known or target.startswith("docs/") or not (ROOT / target).is_file():
                continue
            known.add(target)
            files.append(
                File.generated(
                    config,
                    f"{OUTSIDE}/{target}",
                    abs_src_path=str(ROOT / target),
                    inclusion=InclusionLevel.NOT_IN_NAV,
                )
            )
            if target.endswith(".md"):
                waiting.append(target)
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Let links lead to where the files are on the site."""
    del config, files
    here = page.file.src_uri
    path = _repository_path(here)

    def rewritten(found: re.Match[str]) -> str:
        target = _resolved(path, found["path"])
        if (ROOT / target).is_dir():
            return found["text"][1:-1]
        on_site = (
            target.removeprefix("docs/") if target.startswith("docs/") else f"{OUTSIDE}/{target}"
        )
        link = posixpath.relpath(on_site, posixpath.dirname(here) or ".")
        return f"{found['text']}({link}{found['anchor'] or ''})"

    pieces = _CODE.split(markdown)
    for index in range(0, len(pieces), 2):
        pieces[index] = _LINK.sub(rewritten, pieces[index])
    return "".join(pieces)


def _targets(path: str, markdown: str) -> Iterator[str]:
    for found in _LINK.finditer(_CODE.sub("", markdown)):
        yield _resolved(path, found["path"])


def _resolved(path: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), link))


def _repository_path(src_uri: str) -> str:
    outside = f"{OUTSIDE}/"
    return src_uri.removeprefix(outside) if src_uri.startswith(outside) else f"docs/{src_uri}"
