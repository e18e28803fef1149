# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the demonstration prints: numbered steps, what was tried, what happened."""

import textwrap
from typing import Iterable, Sequence

WIDTH = 100


class DemoFailure(Exception):
    """Something did not happen as announced."""


class Narrator:
    """Prints for a person who administers machines, not for one who reads this source."""

    def __init__(self) -> None:
        self._step = 0

    def title(self, text: str, explanation: str) -> None:
        print(f"\n{text}\n{'=' * len(text)}", flush=True)
        print(textwrap.fill(explanation, WIDTH), flush=True)

    def step(self, text: str) -> None:
        self._step += 1
        print(f"\n{self._step}. {text}", flush=True)

    def tried(self, text: str) -> None:
        self._line("tried", text)

    def happened(self, text: str) -> None:
        self._line("", text)

    def check(self, holds: bool, text: str) -> None:
        """One claim and whether it holds; a claim that does not ends the demonstration."""
        self._line("ok" if holds else "FAILED", text)
        if not holds:
            raise DemoFailure(text)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Columns as wide as their widest cell; the last one is not padded."""
        lines = [head, *rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
        for line in lines:
            cells = [cell.ljust(width) for cell, width in zip(line, widths)]
            print("   " + "  ".join([*cells, line[-1]]).rstrip(), flush=True)

    def _line(self, mark: str, text: str) -> None:
        indent = " " * 11
        body = textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent,
                             break_long_words=False, break_on_hyphens=False)
        print(f"   {mark:<6}  {body.lstrip()}", flush=True)
