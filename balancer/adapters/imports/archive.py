"""Files of a folder, a tar or a zip, one after the other: names, contents and times, with limits on their sizes."""

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from balancer.adapters.imports.findings import Findings, ImportRule
from balancer.adapters.imports.tables import BROKEN, words
from balancer.model.errors import BalancerError

MOST_BYTES = 1 << 28
"""Largest single file that is read: one managed object takes some hundred kilobytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file: what messages call it, its content, and when it was written."""

    name: str
    content: bytes
    written_at: datetime


def pieces(path: Path, wanted: Callable[[str], bool], findings: Findings) -> Iterator[Piece]:
    """Yield the files whose own name is wanted, by name; what cannot be read is told in `findings`.

    Raises:
        BalancerError: there is no such file or folder.
    """
    try:
        if path.is_dir():
            yield from _of_folder(path, wanted, findings)
        elif not path.is_file():
            raise BalancerError(f"{path} cannot be imported: there is no such file or folder.")
        elif zipfile.is_zipfile(path):
            yield from _of_zip(path, wanted, findings)
        elif tarfile.is_tarfile(path):
            yield from _of_tar(path, wanted, findings)
        else:
            yield from _one(path, findings)
    except (*BROKEN, tarfile.TarError) as err:
        findings.tell(ImportRule.TRUNCATED_FILE, str(path), words(err))


def _of_folder(path: Path, wanted: Callable[[str], bool], findings: Findings) -> Iterator[Piece]:
    for file in sorted(path.iterdir()):
        if file.is_file() and wanted(file.name):
            yield from _one(file, findings)


def _one(path: Path, findings: Findings) -> Iterator[Piece]:
    status = path.stat()
    if _fits(path.name, status.st_size, findings):
        at = datetime.fromtimestamp(status.st_mtime, UTC)
        yield Piece(name=path.name, content=path.read_bytes(), written_at=at)


def _of_zip(path: Path, wanted: Callable[[str], bool], findings: Findings) -> Iterator[Piece]:
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            name = PurePosixPath(info.filename).name
            if not info.is_dir() and wanted(name) and _fits(name, info.file_size, findings):
                at = datetime(*info.date_time, tzinfo=UTC)
                yield Piece(name=name, content=archive.read(info), written_at=at)


def _of_tar(path: Path, wanted: Callable[[str], bool], findings: Findings) -> Iterator[Piece]:
    with tarfile.open(path) as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            if not member.isfile() or not wanted(name) or not _fits(name, member.size, findings):
                continue
            file = archive.extractfile(member)
            content = file.read() if file else b""
            at = datetime.fromtimestamp(member.mtime, UTC)
            yield Piece(name=name, content=content, written_at=at)


def _fits(name: str, size: int, findings: Findings) -> bool:
    if size <= MOST_BYTES:
        return True
    findings.tell(ImportRule.UNREADABLE_FILE, name, "too large, allowed: 256 MiB")
    return False
