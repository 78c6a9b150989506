"""`hall bench gateway` and `hall bench week`, small: that they measure, judge and clean up."""

import asyncio
import json
from pathlib import Path

import pytest
from hall_tools.bench import gateway, gateway_week
from hall_tools.bench.gateway import Figures, Latency, Size, measure
from hall_tools.bench.gateway_load import Judge
from hall_tools.bench.gateway_report import summary, targets
from hall_tools.bench.gateway_wire import packets, publish_packet
from hall_tools.cli import app
from hall_tools.commands import bench_gateway
from typer.testing import CliRunner

SMALL = Size(((200, 60),), 300, 2)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "IDLE_S", 0.3)


async def test_the_gateway_loses_and_doubles_nothing_while_it_is_killed() -> None:
    heard: list[str] = []
    figures = await measure("hallkit", SMALL, 1, heard.append)
    latency = figures.latencies[200]
    assert 0 < latency.p50 <= latency.p99
    assert latency.bytes_per_event > 0
    assert min(figures.intake or 0, figures.outbox or 0, figures.through or 0) > 0
    assert (latency.lost, figures.lost_in_drains, figures.lost) == (0, 0, 0)
    assert figures.kills == 2
    assert figures.sent >= 40
    assert 20 < figures.rss_mb <= figures.rss_most_mb
    assert len(heard) == 4


async def test_a_killed_bridge_loses_what_the_hall_system_did_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which also proves that the judge sees a loss."""
    monkeypatch.setattr(gateway, "STALLED_S", 3.0)
    figures = await measure("bridge", SMALL, 1, lambda _: None)
    assert figures.latencies[200].lost == 0
    assert (figures.intake, figures.through) == (None, None)
    assert figures.lost > 0


async def test_a_short_week_ends_with_everything_told_and_the_store_in_its_bound() -> None:
    week = await gateway_week.run(gateway_week.Size(4, 130, 40, 3), seed=2)
    assert week.problems == []
    assert week.tickets >= 450
    assert [day.waiting > 0 for day in week.days] == [False, False, True, False]
    assert week.days[-1].forgotten > 0


def test_the_judge_counts_what_is_missing_and_what_came_again() -> None:
    judge = Judge(lambda topic, payload: [(topic, int(payload))] if payload else [])
    for payload in (b"1", b"2", b"2", b""):
        judge.heard("a", payload, 1.0)
    assert judge.missing([("a", 1), ("a", 2), ("a", 3)]) == 1
    assert judge.arrived["a", 2] == [1.0, 1.0]
    assert judge.foreign == 1


@pytest.mark.parametrize("cut", range(1, 40))
def test_packets_come_out_whole_wherever_the_stream_was_cut(cut: int) -> None:
    stream = publish_packet("a/b", b"x" * 200, 7) + publish_packet("c", b"", 8, again=True)
    buffer = bytearray(stream[: cut * 5])
    found = list(packets(buffer))
    buffer += stream[cut * 5 :]
    found += packets(buffer)
    assert [first for first, _ in found] == [0x32, 0x3A]
    assert found[0][1].endswith(b"x" * 200)
    assert buffer == b""


def figures(system: str, p99: float, **more: float) -> Figures:
    latency = Latency(p50=p99 / 2, p99=p99, lost=0, bytes_per_event=100.0, cpu_share=0.1)
    return Figures(system, {10: latency}, **more)  # pyright: ignore[reportArgumentType]


def test_medians_ratios_and_targets() -> None:
    ours = summary([figures("Hallkit", ms, intake=9000.0, rss_mb=70.0) for ms in (10, 90, 20)])
    theirs = summary([figures("ThingsBoard gateway", 300.0, through=4000.0)])
    assert ours.figures.latencies[10].p99 == 20
    assert ours.rounds == 3
    judged = {t.what: t for t in targets({"hallkit": ours, "thingsboard": theirs})}
    ratio = judged["p99 at 10 events/s, ThingsBoard's by ours"]
    assert (ratio.found, ratio.reached) == ("15.0", True)
    assert judged["intake"].reached
    assert judged["resident"].reached
    heavy = summary([figures("Hallkit", 10, intake=7999.0, rss_mb=80.0)])
    assert not any(
        t.reached for t in targets({"hallkit": heavy}) if t.what in judged and "lost" not in t.what
    )


def test_the_command_prints_what_was_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def measured(name: str, size: Size, seed: int, heard: object) -> Figures:
        await asyncio.sleep(0)
        p99 = 5.0 + seed
        return figures(name, p99 if name == "hallkit" else 7.3 * p99, outbox=9000.0)

    monkeypatch.setattr(bench_gateway.bench, "measure", measured)
    monkeypatch.setattr(gateway, "PYTHON", tmp_path / "none")
    done = CliRunner().invoke(app, ["bench", "gateway", "--rounds", "2", "--json"])
    told = json.loads(done.stdout)
    assert set(told["systems"]) == {"hallkit", "bridge"}
    assert told["systems"]["hallkit"]["latencies"]["10"]["p99"] == 6.5
    assert "make build/peers" in told["left_out"]
    table = CliRunner().invoke(app, ["bench", "gateway", "--quick"]).stdout
    assert "7.3" in table  # how many times our p99
    assert "load average" in table
    assert "Not measured" in table
    assert "What it does not say" in table


@pytest.mark.parametrize(
    ("name", "said"), [("nats", "give one of hallkit"), ("thingsboard", "make build/peers")]
)
def test_a_system_that_is_none_or_not_installed(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gateway, "PYTHON", tmp_path / "none")
    done = CliRunner().invoke(app, ["bench", "gateway", "--system", name])
    assert done.exit_code != 0
    assert said in str(done.exception)
