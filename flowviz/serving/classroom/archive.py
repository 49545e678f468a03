"""``--keep FILE``: the answers of a class in an SQLite file.

The schema (``PRAGMA user_version = 1``, ``PRAGMA application_id = 0x666c7643``, "flvC"):

- ``class(name)``: one row, the class's name.
- ``answers(student, task, answer, at)``: the answer to a prediction; ``task`` is the question, and
  ``answer`` is JSON: an option's index; a number; or a drawing's density on 24 by 24 cells,
  ``[[cell, weight], …]``, row by row from the top.
- ``goals(student, panel, goal, at)``: a goal reached; ``goal`` counts from 0.

``student`` is the SHA-256 of a random name that a browser has drawn, and tells two browsers apart;
``at`` is in seconds since 1970.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_APPLICATION = 0x666C7643
_VERSION = 1

_SCHEMA = f"""
CREATE TABLE class (name TEXT NOT NULL);
CREATE TABLE answers (
  student TEXT NOT NULL, task TEXT NOT NULL, answer TEXT NOT NULL, at REAL NOT NULL,
  PRIMARY KEY (student, task)
);
CREATE TABLE goals (
  student TEXT NOT NULL, panel TEXT NOT NULL, goal INTEGER NOT NULL, at REAL NOT NULL,
  PRIMARY KEY (student, panel, goal)
);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""


class Archive:
    """The file of a class; made where there is none.

    Args:
        path: the file's.
        name: the class's.

    Raises:
        ValueError: the file is not one of ours, or of another class.
        OSError: it cannot be opened or written.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        if path.is_dir() or not path.parent.is_dir():
            raise OSError(f"{path} is no file in a folder that is there")
        try:
            # Every write is its own transaction.
            self._file = sqlite3.connect(path, isolation_level=None)
            self._open(name)
        except sqlite3.OperationalError as error:
            raise OSError(f"{path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{path} is no SQLite file: choose another one to keep") from error

    def answer(self, student: str, task: str, answer: Any, at: float) -> None:
        """Write an answer, in the place of that student's earlier one."""
        row = (student, task, json.dumps(answer), at)
        self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", row)

    def reach(self, student: str, panel: str, goal: int, at: float) -> None:
        """Write that a student has reached a goal."""
        row = (student, panel, goal, at)
        self._file.execute("INSERT OR IGNORE INTO goals VALUES (?, ?, ?, ?)", row)

    def answers(self) -> Iterator[tuple[str, str, Any, float]]:
        """All answers: student, task, answer, time."""
        for student, task, answer, at in self._file.execute("SELECT * FROM answers"):
            yield student, task, json.loads(answer), at

    def goals(self) -> Iterator[tuple[str, str, int, float]]:
        """All goals reached: student, panel, goal, time."""
        yield from self._file.execute("SELECT * FROM goals")

    def close(self) -> None:
        self._file.close()

    def _open(self, name: str) -> None:
        mark, version, tables = (
            self._file.execute(sql).fetchone()[0]
            for sql in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        )
        if (mark, version, tables) == (0, 0, 0):
            self._file.executescript(_SCHEMA)
            self._file.execute("INSERT INTO class VALUES (?)", (name,))
        elif mark != _APPLICATION:
            raise ValueError(
                f"{self._path} was not written by flowviz: choose another file to keep"
            )
        elif version != _VERSION:
            raise ValueError(f"{self._path} was written by another version of flowviz")
        (kept,) = self._file.execute("SELECT name FROM class").fetchone()
        if kept != name:
            raise ValueError(f"{self._path} is of the class {kept!r}, not of {name!r}")
        # An answer may wait for the disk no longer than a student for the page.
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
