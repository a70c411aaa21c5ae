"""Collects what the product logs as a defect: it goes on after one, and a test must not."""

import logging


class DefectLog(logging.Handler):
    """Every record with an exception that nobody expected."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.defects: list[str] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.defects.append(logging.Formatter().format(record))

    def close(self) -> None:
        logging.getLogger().removeHandler(self)
        super().close()
