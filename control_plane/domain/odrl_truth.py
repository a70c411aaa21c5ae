"""Truth of constraints: True, False, or None when it cannot be told (Kleene's three-valued logic).

None is what keeps the engine safe on both sides: a permission that cannot be told does not hold, a prohibition that
cannot be told applies. Two values would let one of them fail open.
"""

from collections.abc import Iterable

Truth = bool | None


def negation(truth: Truth) -> Truth:
    """Not."""
    return None if truth is None else not truth


def every(truths: Iterable[Truth]) -> Truth:
    """And: False as soon as one is False."""
    unknown = False
    for truth in truths:
        if truth is False:
            return False
        unknown = unknown or truth is None
    return None if unknown else True


def some(truths: Iterable[Truth]) -> Truth:
    """Or: True as soon as one is True."""
    unknown = False
    for truth in truths:
        if truth is True:
            return True
        unknown = unknown or truth is None
    return None if unknown else False


def exactly_one(truths: Iterable[Truth]) -> Truth:
    """Xone: False as soon as two are True, whatever the others are."""
    found = list(truths)
    true = found.count(True)
    if true > 1:
        return False
    return None if None in found else true == 1
