"""What spans settings is told beside what is wrong with single ones, in file order."""

from pathlib import Path

import pytest

from balancer.config import load_config
from balancer.model.errors import InputError

VCENTER = "vcenters:\n- {name: main, host: vc, username: u, password_file: pw}\n"
CLUSTER = "clusters:\n- {vcenter: main, name: prod}\n"

EVERYTHING = """\
vcenters:
  - name: vc1
    host: vc.example.com
    port: "443"
    usrname: svc
    password_file: pw
  - {name: vc1, host: other, username: u, username_file: f, password_file: pw}
clusters:
  - {vcenter: vc1, name: prod, mode: manuel}
  - {vcenter: vc2, name: prod}
  - {vcenter: vc1, name: prod, policies: [balancd, 5]}
htp: {}
"""


def problems_of(folder: Path, text: str) -> list[str]:
    path = folder / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_config(path)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def test_types_names_references_and_policies_are_told_together(tmp_path: Path) -> None:
    found = [
        line.split("; ")[0].split(" not found")[0] for line in problems_of(tmp_path, EVERYTHING)
    ]
    assert found == [
        "4:11: vcenters[0].port: '443'",
        "5:5: vcenters[0].usrname: unknown key 'usrname'",
        "7:5: vcenters[1]: both given",
        "7:12: vcenters[1].name: 'vc1' is given twice",
        "9:38: clusters[0].mode: 'manuel'",
        "10:15: clusters[1].vcenter: there is no vCenter 'vc2'",
        "11:26: clusters[2].name: 'prod' is given twice",
        "11:42: clusters[2].policies: policy 'balancd':",
        "11:52: clusters[2].policies[1]: 5",
        "12:1: htp: unknown key 'htp'",
    ]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param("usrname: u", ["unknown key 'usrname'"], id="misspelt username"),
        pytest.param("user_file: u", ["unknown key 'user_file'"], id="misspelt username_file"),
        pytest.param("colour: u", ["neither given", "unknown key 'colour'"], id="another key"),
        pytest.param("username: 5", ["5"], id="a number"),
        pytest.param("username: ''", ["''"], id="empty"),
        pytest.param("username: null", ["neither given"], id="null"),
    ],
)
def test_a_user_name_that_was_meant_is_not_called_missing(
    tmp_path: Path, key: str, expected: list[str]
) -> None:
    lines = problems_of(tmp_path, VCENTER.replace("username: u", key) + CLUSTER)
    assert [line.split("; ")[0].split(": ")[-1] for line in lines] == expected


@pytest.mark.parametrize(
    ("vcenters", "expected"),
    [
        pytest.param("", ["1:1: 'vcenters' is missing"], id="missing"),
        pytest.param("vcenters: 5\n", ["1:11: vcenters: 5"], id="no list"),
        pytest.param(
            VCENTER.replace("name: main", "name: 5"), ["2:10: vcenters[0].name: 5"], id="unnamed"
        ),
    ],
)
def test_clusters_of_vcenters_that_cannot_be_read_draw_no_second_problem(
    tmp_path: Path, vcenters: str, expected: list[str]
) -> None:
    lines = problems_of(tmp_path, vcenters + CLUSTER)
    assert [line.split("; ")[0] for line in lines] == expected


def test_without_its_folder_only_policies_named_by_path_are_judged(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("apiVersion: balancer/v1\nkind: Policy\nlimit: {}\n")
    text = f"{VCENTER}clusters:\n- {{vcenter: main, name: prod, policies: [own, p.yaml]}}\n"
    assert problems_of(tmp_path, f"{text}policy_folder: nowhere\n") == [
        (
            f"4:41: clusters[0].policies: {tmp_path / 'p.yaml'}:3:1: limit: unknown key 'limit'; "
            "did you mean 'limits'?"
        ),
        f"5:16: policy_folder: there is no folder {tmp_path / 'nowhere'}",
    ]


def test_a_hostile_name_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    text = VCENTER.replace("name: main", 'name: "\\e[2J"') + CLUSTER + 'policy_folder: "\\e[2J"\n'
    lines = problems_of(tmp_path, text)
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
