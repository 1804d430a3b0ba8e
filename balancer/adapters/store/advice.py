"""What a person can do about an error of the journal's file, by the words that SQLite has for it."""

DAMAGED = (
    "Nothing was moved. Keep the file for examination, move it away, and start again: "
    "what runs in vCenter is found there."
)

_ADVICE = (
    ("disk is full", "Free space on the disk; nothing is moved until the journal can be written."),
    ("disk i/o error", "Look at the disk; nothing is moved until the journal can be written."),
    ("readonly", "Make the file and its folder writable for this user."),
    ("read-only", "Make the file and its folder writable for this user."),
    ("unable to open", "Create the folder and make it writable for this user."),
    ("locked", "Another process holds the journal: end it, or give this one another file."),
    ("not a database", DAMAGED),
    ("malformed", DAMAGED),
    ("no such", DAMAGED),
    ("decode", DAMAGED),
)


def advice(cause: str) -> str:
    """Return what a person can do about a cause as SQLite words it."""
    for words, told in _ADVICE:
        if words in cause.lower():
            return told
    return "Nothing is moved until the journal can be written."
