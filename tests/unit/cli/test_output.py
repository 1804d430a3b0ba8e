"""Where results go: no command writes over what it reads, whatever it is called by."""

from pathlib import Path

import pytest

from balancer.cli.app import Session, run_command_line

SMALL = Path(__file__).parents[2] / "data" / "small.snapshot.json"
CONFIG = """
vcenters: [{name: vc1, host: vc.example.org, username: u, password_file: p}]
clusters: [{vcenter: vc1, name: prod}]
journal: {path: journal.sqlite}
"""


@pytest.mark.parametrize(
    "words",
    [
        ["snapshot", "--config", "config.yaml", "--output", "config.yaml"],
        ["doctor", "--config", "config.yaml", "--output", "config.yaml"],
        ["report", "--config", "config.yaml", "--output", "./config.yaml"],
        ["plan", "--snapshot", "s.json", "--output", "s.json"],
        ["plan", "--snapshot", "s.json", "--policy", "config.yaml", "--output", "config.yaml"],
        ["evc", "--snapshot", "s.json", "--output", "s.json"],
        ["policy", "lint", "config.yaml", "--output", "config.yaml"],
        ["policy", "show", "--snapshot", "s.json", "--output", "s.json"],
        ["policy", "test", "s.json", "--junit", "s.json"],
        ["policy", "import-drs", "--snapshot", "s.json", "--output", "s.json"],
        ["import", "govc", "s.json", "--output", "s.json"],
        ["lab", "compare", "s.json", "config.yaml", "--output", "s.json"],
    ],
    ids=" ".join,
)
def test_no_command_writes_over_what_it_reads(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"config.yaml": CONFIG.encode(), "s.json": SMALL.read_bytes()}
    for name, content in files.items():
        Path(name).write_bytes(content)
    assert run_command_line(words, Session()) == 1
    assert "cannot be written: this command reads it. Name another file." in capsys.readouterr().err
    assert {name: Path(name).read_bytes() for name in files} == files
