"""What comes back of a question or a change: a document for programs, and text for people of the same values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from balancer.expose.escape import visible

Json = dict[str, object]

DONE_SCHEMA = "balancer/done/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A document, and the text of it for a terminal of so many columns (None: nothing is cut).

    `is_whole` is False where what was asked about does not hold: the answer is well-formed all the same.
    """

    document: Json
    text: Callable[[int | None], str]
    is_whole: bool = True


def done(lines: Sequence[str], **facts: object) -> Answer:
    """Return what was done, in lines for people and in facts for programs; what is None is left out."""
    told = [visible(line) for line in lines]
    known = {key: value for key, value in facts.items() if value is not None}
    document: Json = {"schema": DONE_SCHEMA, "told": told} | known
    return Answer(document=document, text=lambda width: "".join(f"{line}\n" for line in told))
