"""The documents hold together: links lead somewhere, decisions are listed, and no package goes unmentioned."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pytest

from connector_cli.settings import DataPlaneSection
from tests.architecture.source_tree import PACKAGES, ROOT, shown

DOCS: Final = ROOT / "docs"
DECISIONS: Final = DOCS / "decisions"
DOCUMENTS: Final = sorted(
    [*DOCS.rglob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]
)
RECORDS: Final = sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")

_FENCED: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


def prose(path: Path) -> str:
    """The document without its fenced blocks."""
    return _FENCED.sub("", path.read_text(encoding="utf-8"))


def links(path: Path) -> list[str]:
    """The targets of its links to other places in this repository."""
    return [target for target in _LINK.findall(prose(path)) if "://" not in target]


def anchors(path: Path) -> set[str]:
    """The anchors of its headings, as code forges make them: lower case, dashes for spaces, no punctuation."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(prose(path))}


def broken_links(path: Path) -> list[str]:
    """Those of its links that lead nowhere."""
    broken = []
    for link in links(path):
        name, _, anchor = unquote(link).partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_every_link_to_a_place_in_the_repository_leads_somewhere(path: Path) -> None:
    assert broken_links(path) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A page, with a heading\n[a](#a-page-with-a-heading) [b](page.md) [c](gone.md) [d](page.md#gone)\n"
        "```\n[e](shown.md)\n```\n[f](https://partner.example/gone.md)\n"
    )
    assert broken_links(page) == ["gone.md", "page.md#gone"]


@pytest.mark.parametrize("path", RECORDS, ids=shown)
def test_a_decision_has_a_number_of_its_own_its_three_parts_and_its_line_in_the_index(path: Path) -> None:
    number = re.match(r"\d{4}(?=-[a-z0-9-]+\.md$)", path.name)
    assert number, "it is not named NNNN-title.md"
    assert [other.name for other in RECORDS if other.name.startswith(number[0])] == [path.name]
    title, *parts = _HEADING.findall(prose(path))
    assert title.startswith(f"{number[0]}: ")
    assert parts == ["Context", "Decision", "Consequences"]
    entry = f"| [{number[0]}]({path.name}) | {title.removeprefix(f'{number[0]}: ')} |"
    assert entry in prose(DECISIONS / "README.md").splitlines()


def test_the_decisions_are_found_and_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in RECORDS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


@pytest.mark.parametrize("package", PACKAGES)
def test_the_architecture_says_what_a_package_is_for(package: str) -> None:
    assert re.search(rf"^\| `{package}` \| .+ \|$", prose(DOCS / "architecture.md"), re.MULTILINE)


def test_the_life_of_a_transfer_has_its_eighteen_steps_in_order() -> None:
    steps = re.findall(r"^\| (\d+) \|", prose(DOCS / "architecture.md"), re.MULTILINE)
    assert steps == [str(number) for number in range(1, 19)]


def test_modules_that_the_documents_name_exist() -> None:
    named = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:\.[a-z_0-9]+)+)")
    missing = {
        f"{shown(path)}: {name}"
        for path in DOCUMENTS
        for name in named.findall(prose(path))
        if not _is_module_or_member(name)
    }
    assert missing == set()


def _is_module_or_member(name: str) -> bool:
    """A module or package, something that its module defines, or a setting of the table with the package's name."""
    parts = name.split(".")
    if parts[0] == "data_plane" and parts[1] in DataPlaneSection.model_fields:
        return True
    folder, last = ROOT.joinpath(*parts[:-1]), parts[-1]
    if (folder / f"{last}.py").is_file() or (folder / last).is_dir():
        return True
    module = folder.with_suffix(".py")
    return module.is_file() and bool(re.search(rf"\b(?:def|class) {last}\b", module.read_text(encoding="utf-8")))
