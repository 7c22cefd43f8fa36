"""A real Ray cluster of several nodes on this machine; slow, so all but the first need the variable ZEN_RAY_TESTS."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli import ENVIRONMENT, Zen
from ray_head import slow

from zen_cli import parse_plainnet
from zen_cli.metrics import find_all
from zen_cli.metrics.scoring import score_all
from zen_cli.metrics.settings import check_settings

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray and its processes
NETWORKS = [
    parse_plainnet(f"SuperConvK3BNRELU(3,{8 + index},2,1)SuperConvK3BNRELU({8 + index},16,1,1)", resolution=16)
    for index in range(200)
]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Three nodes of one core each beside a head without cores."""
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 80 * 2**20})
    for _ in range(3):
        add(nodes)
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    yield nodes
    nodes.shutdown()


def add(nodes: Any) -> Any:
    return nodes.add_node(num_cpus=1, object_store_memory=80 * 2**20)


@slow
def test_a_node_killed_and_one_added_in_mid_run_change_no_byte(cluster: Any) -> None:
    from zen_cli.metrics.cluster.connect import connect

    settings = check_settings(draws=8, batch_size=8)
    wanted = [row.to_bytes() for row in score_all(NETWORKS, settings) if not isinstance(row, Exception)]
    nodes = list(cluster.worker_nodes)
    events: list[threading.Thread] = []

    def disturb() -> None:
        cluster.remove_node(nodes[1], allow_graceful=False)
        add(cluster)

    with connect("ray", "cpu") as executor:
        found = []
        for row in score_all(NETWORKS, settings, executor=executor):
            found.append(row)
            if len(found) == 40:
                events.append(threading.Thread(target=disturb))
                events[0].start()
        events[0].join()
    assert [row.to_bytes() for row in found if not isinstance(row, Exception)] == wanted


@slow
def test_measured_metrics_beside_a_score_are_those_of_one_process(cluster: Any) -> None:
    from zen_cli.metrics.cluster.connect import connect

    settings, proxies = check_settings(draws=2, batch_size=4), find_all("phi,synflow,entropy")
    wanted = list(score_all(NETWORKS[:30], settings, proxies=proxies))
    with connect("ray", "auto") as executor:
        assert list(score_all(NETWORKS[:30], settings, proxies=proxies, executor=executor)) == wanted


@slow
def test_a_driver_that_is_killed_goes_on_with_the_same_bytes(cluster: Any, tmp_path: Path) -> None:
    lines = "".join(
        f"SuperConvK3BNRELU(3,{8 + index},2,1)SuperConvK1BNRELU({8 + index},16,1,1)\n" for index in range(60)
    )
    (tmp_path / "nets.txt").write_text(lines)
    words = ["score", "--quiet", "--draws", "8", "--resolution", "32", "nets.txt"]
    wanted = run(tmp_path, words)
    part = tmp_path / "part.jsonl"
    again = [*words, "--workers", "ray", "--skip-done", "part.jsonl"]
    with open(part, "ab") as out:
        process = subprocess.Popen(command(again), cwd=tmp_path, env=environment(), stdout=out)
        deadline = time.monotonic() + 100
        while part.read_bytes().count(b"\n") < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
        process.wait()
    assert 5 <= part.read_bytes().count(b"\n") < 60
    with open(part, "ab") as out:
        assert subprocess.run(command(again), cwd=tmp_path, env=environment(), stdout=out, check=False).returncode == 0
    assert sorted(part.read_bytes().splitlines()) == sorted(wanted.splitlines())


def command(words: list[str]) -> list[str]:
    return [sys.executable, "-m", "zen_cli", *words]


def environment() -> dict[str, str]:
    return {**ENVIRONMENT, "RAY_ADDRESS": os.environ["RAY_ADDRESS"]}


def run(folder: Path, words: list[str]) -> bytes:
    return subprocess.run(command(words), cwd=folder, env=ENVIRONMENT, capture_output=True, check=True).stdout


def test_where_nothing_answers_that_is_one_line(zen: Zen) -> None:
    net = "SuperConvK3BNRELU(3,8,2,1)"
    began = time.monotonic()
    zen("score", "-q", "--workers", "ray://127.0.0.1:1", net).fails("workers: nothing answers at 127.0.0.1:1", code=1)
    zen("score", "-q", "--workers", "ray", net, RAY_ADDRESS="127.0.0.1:1").fails("nothing answers", code=1)
    assert time.monotonic() - began < 60
