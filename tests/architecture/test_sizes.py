"""Files and functions stay small enough to be read in one go; ruff cannot count lines of either."""

from tests.architecture.source_tree import functions, python_files, shown

LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def test_no_file_is_too_long() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert len(lengths) > 20
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{shown(path)}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in python_files()
        for function in functions(path)
    }
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}
