"""One call of the command: how much it says, and its log file."""

import logging
import os
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _LogFile(logging.FileHandler):
    """Stops writing when the disk refuses; the command has its own message for that."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the signature is logging's
        logging.getLogger().removeHandler(self)


@dataclass
class Session:
    """What the commands share.

    Attributes:
        verbose: Show the log on stderr as well.
        log: The log file, once the command has opened one.
        handlers: What writes the log.
        engine: What options say of the engine, by the names of `Settings`; they win over the environment.
    """

    verbose: bool = False
    log: Path | None = None
    handlers: list[logging.Handler] = field(default_factory=list)
    engine: dict[str, Any] = field(default_factory=dict)

    def open_log(self, command: str) -> Path:
        """Open a log file of this call in the state folder and send all logging there."""
        from sparkhu.settings import Settings

        folder = Settings().home / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{command}-{os.getpid()}.log"
        self.handlers = [_LogFile(self.log, encoding="utf-8")]
        if self.verbose:
            self.handlers.append(logging.StreamHandler(sys.stderr))
        root = logging.getLogger()
        root.setLevel(logging.INFO)
        for handler in self.handlers:
            handler.setFormatter(logging.Formatter(FORMAT))
            root.addHandler(handler)
        logging.captureWarnings(True)
        if self.verbose:
            print(f"log: {self.log}", file=sys.stderr)  # noqa: T201
        return self.log

    def close(self) -> None:
        """Close the log."""
        logging.captureWarnings(False)
        for handler in self.handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()
        self.handlers = []
