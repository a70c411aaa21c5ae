"""What may go wrong in a benchmark."""


class BenchmarkError(Exception):
    """Something is missing, or a run failed; the text says what, and what to do. Holds no signed URL."""


class UnavailableError(BenchmarkError):
    """A program that is needed is not on this machine; the text says how to get it."""


class WrongCopyError(BenchmarkError):
    """A client ended well, and what it left is not a copy."""
