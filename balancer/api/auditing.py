"""The audit log: its last entries, and whether its chain holds."""

from collections.abc import Sequence

from balancer.api.answer import Answer
from balancer.api.scene import Scene
from balancer.expose.audit_view import entries_document, entries_text, report_document, report_text
from balancer.model.audit import AuditHead
from balancer.model.errors import BalancerError

MOST_ENTRIES = 10_000
"""In one list."""

DIGEST_LENGTH = 64
_MOST_DIGITS = 15


def list_entries(scene: Scene, *, last: int = 50) -> Answer:
    """List the last entries, oldest first."""
    entries = scene.store.audit_entries(last=min(last, MOST_ENTRIES))
    return Answer(document=entries_document(entries), text=lambda width: entries_text(entries))


def verify(scene: Scene, *, head: Sequence[str] = ()) -> Answer:
    """Read the whole chain and say whether it holds; each of `head` (NUMBER:DIGEST) must be in it."""
    report = scene.store.verify_audit(heads=[head_of(word) for word in head])
    return Answer(
        document=report_document(report),
        text=lambda width: report_text(report),
        is_whole=report.is_whole,
    )


def head_of(word: str) -> AuditHead:
    """Return a head as the log has it. Raises `BalancerError` for anything else."""
    number, _, digest = word.partition(":")
    is_number = number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS
    if not is_number or int(number) < 1 or len(digest) != DIGEST_LENGTH:
        raise BalancerError(
            f"{word!r} is not NUMBER:DIGEST with a digest of {DIGEST_LENGTH} characters, as the line "
            "`audit head` of the program's log has them."
        )
    return AuditHead(number=int(number), digest=digest)
