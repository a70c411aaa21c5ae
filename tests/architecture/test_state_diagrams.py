"""The state diagrams in the documentation are those of the machines."""

from tests.architecture.state_diagrams import PAGE, page


def test_the_drawn_states_are_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"
