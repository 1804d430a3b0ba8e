"""How far the daemon acts by itself."""

from enum import StrEnum


class Mode(StrEnum):
    """How far the daemon acts by itself on a cluster, from the most careful to the freest."""

    OBSERVE = "observe"  # plans and reports, moves nothing
    MANUAL = "manual"  # plans, and moves nothing that nobody approved
    PARTIAL = "partial"  # carries out evacuations and must-rule repairs only
    AUTOMATIC = "automatic"  # carries out plans within the limits

    @property
    def freedom(self) -> int:
        """Return the place among the modes, 0 for the most careful."""
        return list(Mode).index(self)

    @property
    def acts(self) -> bool:
        """Whether anything is moved in this mode without a person's word."""
        return self in (Mode.PARTIAL, Mode.AUTOMATIC)

    @property
    def may_act(self) -> bool:
        """Whether anything may be moved in this mode, be it with a person's word."""
        return self is not Mode.OBSERVE


def most_careful(*modes: Mode | None) -> Mode:
    """Return the most careful of the modes that are given; automatic where none is."""
    given = [mode for mode in modes if mode is not None]
    return min(given, key=lambda mode: mode.freedom, default=Mode.AUTOMATIC)
