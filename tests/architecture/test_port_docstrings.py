"""A port is a promise: the port and each of its public methods say in words what they promise."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.architecture.source_tree import modules

FEWEST_NEW_WORDS = 2


def _ports() -> Iterator[type]:
    for module in modules():
        _, _, inner = module.__name__.partition(".")
        if module.__name__.startswith("connector_spi") or inner.split(".")[0] == "ports":
            for member in vars(module).values():
                if getattr(member, "_is_protocol", False) and member.__module__ == module.__name__:
                    yield member


def _methods() -> Iterator[Any]:
    for port in PORTS:
        for name, member in vars(port).items():
            if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                yield pytest.param(name, member, id=f"{port.__name__}.{name}")


PORTS = list(_ports())


def test_the_ports_are_found() -> None:
    assert {"Vault", "Clock"} < {port.__name__ for port in PORTS}


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_a_port_says_what_it_is_for(port: type) -> None:
    assert vars(port).get("__doc__"), f"{port.__module__}.{port.__name__} has no docstring"


@pytest.mark.parametrize(("name", "member"), list(_methods()))
def test_a_method_says_more_than_its_name(name: str, member: object) -> None:
    words = set(re.findall(r"[a-z]+", (inspect.getdoc(member) or "").lower()))
    assert len(words - set(name.split("_"))) >= FEWEST_NEW_WORDS
