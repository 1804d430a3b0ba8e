"""Where a command's result goes: a file written whole, or standard output as the terminal can show it."""

import os
import shutil
import sys
from collections.abc import Iterable, Set
from pathlib import Path
from typing import TextIO

_NO_TERMINAL_WIDTH = 100


def emit(content: bytes, output: Path | None) -> None:
    """Write a result to the file, or to standard output where none is named.

    Raises:
        BalancerError: the file cannot be written.
    """
    if output is not None:
        from balancer.adapters.files.json_file import write_bytes

        write_bytes(output, content)
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # whoever read has seen enough: no error
    except OSError as err:
        from balancer.model.errors import BalancerError

        reason = err.strerror or str(err)
        raise BalancerError(f"standard output cannot be written: {reason}.") from err


def require_room(outputs: Iterable[Path | None], inputs: Iterable[Path | None] = ()) -> None:
    """Look whether files can be written later, before somebody waits for what is to be in them.

    `inputs` are the files that the command reads: none of them is written over.

    Raises:
        BalancerError: a folder is not there or cannot be written to, an output is a folder or one of the inputs,
            or two outputs are one file.
    """
    from balancer.model.errors import BalancerError

    read = {path.resolve() for path in inputs if path is not None and path.is_file()}
    taken = set[Path]()
    for output in outputs:
        if output is None:
            continue
        why = _unwritable(output, read, taken)
        if why:
            raise BalancerError(f"{output} cannot be written: {why}. Name another file.")
        if output.is_file() or not output.exists():
            taken.add(output.resolve())


def _unwritable(output: Path, read: Set[Path], taken: Set[Path]) -> str:
    """Return why a file cannot be written; nothing where it can."""
    folder = output.absolute().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} is no folder that may be written to"
    if output.is_dir():
        return "it is a folder"
    if output.resolve() in read:
        return "this command reads it"
    return "two options name it" if output.resolve() in taken else ""


def wants_color(output: Path | None) -> bool:
    """Whether colour is welcome: a terminal, no file, and `NO_COLOR` not set (see no-color.org)."""
    is_terminal = output is None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return is_terminal and not os.environ.get("NO_COLOR")


def columns(output: Path | None) -> int:
    """Return the width to write a result for."""
    return _NO_TERMINAL_WIDTH if output is not None else columns_of(sys.stdout)


def columns_of(stream: TextIO) -> int:
    """Return the width of a stream's terminal, or the one that is written for where it is none."""
    return shutil.get_terminal_size().columns if stream.isatty() else _NO_TERMINAL_WIDTH


def encoding(output: Path | None) -> str:
    """Return the encoding of what is written: UTF-8 into files, the terminal's own otherwise."""
    return "utf-8" if output is not None else sys.stdout.encoding or "ascii"


def say(text: str) -> None:
    """Print one line for people; nothing in a name or a reason can harm the terminal."""
    from balancer.expose.escape import visible

    charset = encoding(None)
    sys.stdout.flush()
    sys.stdout.buffer.write(f"{visible(text)}\n".encode(charset, errors="backslashreplace"))
    sys.stdout.buffer.flush()


def emit_text(text: str) -> None:
    """Write text that is harmless already, as the terminal can show it."""
    emit(text.encode(encoding(None), errors="backslashreplace"), None)


def emit_document(document: dict[str, object]) -> None:
    """Write a document as JSON."""
    from balancer.expose.document import document_text

    emit(document_text(document).encode(), None)
