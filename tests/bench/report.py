# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures as a table, each aim beside what was measured."""

from dataclasses import dataclass
from typing import Any

import subject

# Two equal things differ by so much in this measurement.
NOISE = 1.05
# And by so much where each one waits for a disk that others use.
DISK_NOISE = 1.25


@dataclass(frozen=True)
class Aim:
    """One line with a verdict: value must not exceed (or must reach) the limit."""

    name: str
    value: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "met" if self.met else "MISSED"
        return (f"  {self.name:<58}{self.value:9.2f} {self.unit:<4}"
                f" aim {sign} {self.limit:g} {self.unit:<4} {verdict}")


def _open_aims(processors: str, ways: dict[str, Any]) -> list[Aim]:
    few, many, floor = (ways[way]["median_us"] for way in ("broker-few", "broker-many", "floor"))
    where = f"{processors} processor{'s' if processors == '2' else ''}"
    return [Aim(f"open, {where}: {subject.FEW} grants / floor", few / floor, 1.5),
            Aim(f"open, {where}: {subject.MANY} grants / floor", many / floor, 1.5),
            Aim(f"open, {where}: {subject.MANY} grants / {subject.FEW} grants", many / few, NOISE)]


def _job_aims(job: dict[str, Any]) -> list[Aim]:
    found = []
    for what in ("begin", "end"):
        times = {grants: one[f"{what}_ms"] for grants, one in job["jobs"].items()}
        found += [Aim(f"{what} of a job, {grants} grants", time, 3, "ms")
                  for grants, time in times.items()]
        few, many = str(subject.FEW), str(subject.MANY)
        found.append(Aim(f"{what} of a job: {many} grants / {few} grants", times[many] / times[few],
                         DISK_NOISE))
    return found


def aims(figures: dict[str, Any]) -> list[Aim]:
    """Every aim of docs/specification.md that a figure stands for."""
    found = []
    for processors, ways in figures["open"].items():
        found += _open_aims(processors, ways)
    for length, who in figures["chain"].items():
        found.append(Aim(f"chain of {length}: qemu-img / openhookctl",
                         who["qemu-img"] / who["openhookctl"], 5, at_least=True))
    broker = figures["broker"]
    found.append(Aim("idle broker: private memory", broker["memory_kib"]["0"]["all"] / 1024, 4,
                     "MiB"))
    found += [Aim(f"broker ready, {name}", milliseconds, 20, "ms")
              for name, milliseconds in broker["ready_ms"].items()]
    return found + _job_aims(figures["job"])


def _row(name: str, values: list[str]) -> str:
    return f"  {name:<22}" + "".join(f"{value:>20}" for value in values)


def table(figures: dict[str, Any]) -> str:
    """Everything that was measured, for people."""
    lines = []
    for processors, ways in figures["open"].items():
        lines += ["", f"open + close, client and server on {processors} processor(s), microseconds",
                  _row("", ["median call", "mean", "99th percentile"])]
        lines += [_row(way, [f"{ways[way][key]:.2f}" for key in ("median_us", "mean_us", "p99_us")])
                  for way in ("native", "floor", "broker-few", "broker-many", "seccomp-few")]
    lines += ["", "backing chain, milliseconds",
              _row("members", ["qemu-img info", "openhookctl", "walk alone"])]
    lines += [_row(length, [f"{who[key]:.2f}" for key in ("qemu-img", "openhookctl", "walk")])
              for length, who in figures["chain"].items()]
    lines += ["", "broker"]
    lines += [_row(f"{grants} grants", [f"{kib['all']} KiB private", f"{kib['dirty']} KiB dirty"])
              for grants, kib in figures["broker"]["memory_kib"].items()]
    lines += [f"  ready, {name:<28}{value:9.1f} ms"
              for name, value in figures["broker"]["ready_ms"].items()]
    commit = figures["job"]["commit"]
    lines += ["", f"job, milliseconds; a bare commit of SQLite takes {commit:.2f}",
              _row("grants", ["begin", "end", "begin / commit", "end / commit"])]
    lines += [_row(grants, [f"{one[key]:.2f}" for key in ("begin_ms", "end_ms")] +
                   [f"{one[key] / commit:.2f}" for key in ("begin_ms", "end_ms")])
              for grants, one in figures["job"]["jobs"].items()]
    lines += ["", "from kill -9 of the broker to the next answered open, milliseconds",
              _row("grants", ["median", "longest"])]
    lines += [_row(grants, [f"{one['median']:.1f}", f"{one['most']:.1f}"])
              for grants, one in figures["downtime_ms"].items()]
    lines += ["", "aims"] + [aim.line() for aim in aims(figures)]
    return "\n".join(lines)
