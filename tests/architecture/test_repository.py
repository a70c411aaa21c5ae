"""What may not stand in any file of the repository, and what must."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.source_tree import PACKAGES, ROOT, modules, python_files, repository_files, shown

# The patterns are written so that this file does not match them.
OPEN_ENDS = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.:/~*{}-])/(?:home|root|work|Users|farm)/\w")
REGISTRY_HOSTS = re.compile(r"\b(?:pypi|pythonhosted|npmjs|crates|registry)\.(?:org|com|io)\b|\bregistry\.[a-z]")
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "base"}


@pytest.mark.parametrize("pattern", [OPEN_ENDS, MACHINE_PATHS, REGISTRY_HOSTS], ids=["open end", "path", "host"])
def test_no_file_has_open_ends_or_names_this_machine(pattern: re.Pattern[str]) -> None:
    hits = [
        f"{shown(path)}:{number} {match[0]}"
        for path in repository_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (match := pattern.search(line))
    ]
    assert hits == []


def test_the_patterns_find_what_they_are_for() -> None:
    assert OPEN_ENDS.search("# T_DO later".replace("_", "O"))
    assert MACHINE_PATHS.search('path = "/r_t/x"'.replace("_", "oo"))
    assert MACHINE_PATHS.search("/h_e/me/x".replace("_", "om"))
    assert REGISTRY_HOSTS.search("files.python_ed.org/x".replace("_", "host"))
    assert REGISTRY_HOSTS.search("registry_npmjs.example".replace("_", "."))
    assert not MACHINE_PATHS.search("https://partner.example/home/page")


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [name for module in modules() if (name := module.__name__).split(".")[-1] in VAGUE_NAMES] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_typed_and_introduces_itself(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    introduction = next(module for module in modules() if module.__name__ == package).__doc__
    assert introduction


def test_test_folders_are_packages_so_that_their_file_names_do_not_clash() -> None:
    folders = {path.parent for path in python_files() if shown(path).startswith("tests/")}
    assert [shown(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_lock_file_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        Requirement(line)
        for line in (
            *project["project"]["dependencies"],
            *project["project"]["optional-dependencies"]["demo"],
            *project["dependency-groups"]["dev"],
        )
    ]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE))
    unmet = [
        str(requirement)
        for requirement in wanted
        if not requirement.specifier.contains(locked.get(canonicalize_name(requirement.name), "0"))
    ]
    assert unmet == [], "run `make lock`"


def test_the_lock_file_pins_every_dependency_by_digest_and_names_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in lock
    assert " @ " not in lock
