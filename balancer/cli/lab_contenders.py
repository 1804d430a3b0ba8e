"""`balancer lab contenders`: who can take part in a replay."""

from balancer.cli.output import columns, emit_text


def contenders_command() -> None:
    """List the contenders of `lab replay`, each with a sentence."""
    from balancer.expose.text_layout import Paper
    from balancer.lab.contenders import CONTENDERS
    from balancer.lab.figures import OURS

    rows = {name: one.summary for name, one in CONTENDERS.items()}
    rows[f"{OURS}:POLICY"] = "the product with a policy, by name or file"
    width = max(map(len, rows)) + 2
    page = Paper(width=columns(None))
    lines = [
        line
        for name, summary in rows.items()
        for line in page.wrap(summary, " " * width, first=name.ljust(width))
    ]
    emit_text("\n".join(lines) + "\n")
