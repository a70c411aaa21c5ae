"""What the architecture tests look at: the packages, their modules and the files of the repository."""

import ast
import importlib
import pkgutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

PACKAGES: Final = (
    "azure_storage",
    "connector_cli",
    "connector_spi",
    "control_plane",
    "data_plane",
    "entra_identity",
    "management_api",
    "outbound_http",
    "sql_storage",
    "vault_adapters",
)


@cache
def modules() -> tuple[ModuleType, ...]:
    """Every module of the packages, imported. Alembic's scripts are no modules: their folders have no `__init__`."""
    packages = [importlib.import_module(package) for package in PACKAGES]
    inner = [
        importlib.import_module(info.name)
        for package in packages
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not info.name.endswith(".__main__")
    ]
    return (*packages, *inner)


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that is committed, or would be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    # A file that was deleted but is still in the index is not there to be read.
    return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


def python_files() -> list[Path]:
    """Those of them that are Python."""
    return [path for path in repository_files() if path.suffix == ".py"]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of the file, nested ones too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def shown(path: Path) -> str:
    """The path as a reader of the repository knows it."""
    return path.relative_to(ROOT).as_posix()
