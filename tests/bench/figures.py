# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the Google Benchmark programs and gives their medians."""

import json
import subprocess
from pathlib import Path
from typing import Any

import subject
from subject import Broker, Workspace


def _run(argv: list[str]) -> list[Any]:
    """Runs a benchmark program and gives the medians over its repetitions."""
    done = subprocess.run([*argv, "--benchmark_format=json",
                           "--benchmark_enable_random_interleaving=true",
                           "--benchmark_report_aggregates_only=true"],
                          stdout=subprocess.PIPE, check=True)
    results = json.loads(done.stdout)["benchmarks"]
    for one in results:
        if one.get("error_occurred"):
            raise subject.BenchError(f"{one['name']}: {one['error_message']}")
    return [one for one in results if one.get("aggregate_name") == "median"]


def measure_open(build: Path, image: Path, few: Broker, many: Broker) -> dict[str, Any]:
    """Microseconds of an open and a close: {processors: {way: {...}}}."""
    programs = build / "bench-bin"
    argv = [str(programs / "open_bench"), str(programs), str(build / "lib/libopenhook-preload.so"),
            str(build / "bin/openhook-qemu"), str(image)]
    for broker in (few, many):
        argv += [str(broker.open_socket), str(broker.pid)]
    figures: dict[str, Any] = {"1": {}, "2": {}}
    for one in _run([*argv, "--benchmark_repetitions=41"]):
        _, way, processors = one["run_name"].split("/")[:3]
        figures[processors.removeprefix("processors:")][way] = {
            "mean_us": one["real_time"], "median_us": one["call_median_ns"] / 1000,
            "p99_us": one["call_p99_ns"] / 1000}
    return figures


def measure_chain(build: Path, workspace: Workspace) -> dict[str, Any]:
    """Milliseconds to read a chain: {length: {who: ms}}."""
    for length in subject.CHAIN_LENGTHS:
        subject.make_chain(workspace.images / f"chain-{length}", length)
    argv = [str(build / "bench-bin/chain_bench"), str(build / "bin/openhookctl"),
            subject.settings.QEMU_IMG, str(workspace.images)]
    figures: dict[str, Any] = {str(length): {} for length in subject.CHAIN_LENGTHS}
    for one in _run([*argv, "--benchmark_repetitions=7", "--benchmark_min_time=0.05"]):
        _, who, length = one["run_name"].split("/")[:3]
        figures[length][who] = one["real_time"]
    return figures


def measure_jobs(build: Path, workspace: Workspace, brokers: dict[int, Broker]) -> dict[str, Any]:
    """Milliseconds of the begin and of the end of a job, by grants; and of a bare commit."""
    argv = [str(build / "bench-bin/job_bench"), str(workspace.state)]
    for grants, broker in brokers.items():
        argv += [str(grants), str(broker.control_socket)]
    figures: dict[str, Any] = {"commit": 0.0, "jobs": {str(grants): {} for grants in brokers}}
    for one in _run([*argv, "--benchmark_repetitions=41"]):
        name = one["run_name"].split("/")[1]
        if name == "commit":
            figures["commit"] = one["commit_ms"]
        else:
            figures["jobs"][name] = {"begin_ms": one["begin_ms"], "end_ms": one["end_ms"]}
    return figures
