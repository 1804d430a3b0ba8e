"""The interface over one cluster, asked by a client of each role."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balancer.model.access import Role
from tests.support.asking import Asked, Client, asked_of


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    with asked_of(tmp_path) as made:
        yield made


@pytest.fixture
def as_role(asked: Asked) -> Iterator[Callable[[Role | None], Client]]:
    app, made = asked.app(), []

    def client_of(role: Role | None) -> Client:
        made.append(Client(app, role))
        return made[-1]

    yield client_of
    for client in made:
        client.close()


@pytest.fixture
def viewer(as_role: Callable[[Role], Client]) -> Client:
    return as_role(Role.VIEWER)


@pytest.fixture
def operator(as_role: Callable[[Role], Client]) -> Client:
    return as_role(Role.OPERATOR)


@pytest.fixture
def admin(as_role: Callable[[Role], Client]) -> Client:
    return as_role(Role.ADMIN)
