"""The loop of the app: asyncio behaves as documented, and Qt keeps painting."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel

from conduit_desktop.gui.event_loop.posted_loop import PostedLoop
from conduit_desktop.gui.event_loop.selector_loop import SelectorLoop
from tests.fakes.waiting import WITHIN_S

Run = Callable[[Any], Any]
LOOPS = [PostedLoop, SelectorLoop] if sys.platform == "linux" else [PostedLoop]


@pytest.fixture(params=LOOPS, ids=lambda kind: kind.__name__)
def loop(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[Any]:
    made = request.param(qapp)
    asyncio.set_event_loop(made)
    yield made
    made.close()
    asyncio.set_event_loop(None)


def test_ten_thousand_callbacks_run_once_and_in_order(loop: Any):
    ran: list[int] = []

    async def story() -> None:
        for number in range(10_000):
            loop.call_soon(ran.append, number)
        done = loop.create_future()
        loop.call_soon(done.set_result, None)
        await done

    loop.run_until_complete(story())
    assert ran == list(range(10_000))


def test_a_callback_scheduled_from_qt_wakes_the_loop(loop: Any):
    async def story() -> str:
        done = loop.create_future()
        QTimer.singleShot(5, lambda: loop.call_soon(done.set_result, "from qt"))
        return await asyncio.wait_for(done, WITHIN_S)

    assert loop.run_until_complete(story()) == "from qt"


def test_a_timer_set_from_qt_fires(loop: Any):
    async def story() -> str:
        done = loop.create_future()
        QTimer.singleShot(5, lambda: loop.call_later(0.01, done.set_result, "later"))
        return await asyncio.wait_for(done, WITHIN_S)

    assert loop.run_until_complete(story()) == "later"


def test_timers_fire_in_order_and_never_early(loop: Any):
    async def story() -> list[tuple[int, float]]:
        fired: list[tuple[int, float]] = []
        start, last = loop.time(), loop.create_future()
        for ms in (40, 10, 25, 0, 10):
            loop.call_later(ms / 1000, lambda ms=ms: fired.append((ms, (loop.time() - start) * 1000)))
        loop.call_later(0.041, last.set_result, None)
        await asyncio.wait_for(last, WITHIN_S)
        return fired

    rounds = [loop.run_until_complete(story()) for _ in range(10)]
    for fired in rounds:
        assert [ms for ms, _ in fired] == [0, 10, 10, 25, 40]
        assert all(at >= ms - 1 for ms, at in fired)
    # A busy machine makes a round late now and then; a timer that is set wrongly makes every round late.
    assert min(max(at - ms for ms, at in fired) for fired in rounds) <= 30


def test_many_cancelled_timers_cost_no_memory_and_do_not_fire(loop: Any):
    fired: list[int] = []

    async def story() -> None:
        for number in range(5_000):
            loop.call_later(30, fired.append, number).cancel()
            loop.call_later(0.001, fired.append, -1).cancel()
        await asyncio.sleep(0.02)

    loop.run_until_complete(story())
    assert fired == []
    assert len(loop._scheduled) < 2_500


def test_other_threads_can_schedule_callbacks(loop: Any):
    async def story() -> list[int]:
        received: list[int] = []
        done = loop.create_future()

        def call_in() -> None:
            for number in range(500):
                loop.call_soon_threadsafe(received.append, number)
            loop.call_soon_threadsafe(done.set_result, None)

        thread = threading.Thread(target=call_in)
        thread.start()
        await asyncio.wait_for(done, WITHIN_S)
        thread.join()
        return received

    assert loop.run_until_complete(story()) == list(range(500))
    assert loop.run_until_complete(asyncio.wait_for(_from_thread(), WITHIN_S)) == 42


async def _from_thread() -> int:
    return await asyncio.to_thread(lambda: 42)


def test_an_exception_in_a_callback_reaches_the_handler_and_the_loop_goes_on(loop: Any):
    contexts: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))

    def fail() -> None:
        raise ValueError("broken callback")

    async def story() -> str:
        loop.call_soon(fail)
        loop.call_later(0.001, fail)
        await asyncio.sleep(0.01)
        return "still here"

    assert loop.run_until_complete(story()) == "still here"
    assert [str(context["exception"]) for context in contexts] == ["broken callback"] * 2


def test_cancelling_a_task_runs_its_cleanup(loop: Any):
    steps: list[str] = []

    async def sleeper() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            steps.append("unwound")

    async def story() -> None:
        task = loop.create_task(sleeper())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(60), 0.01)

    loop.run_until_complete(story())
    assert steps == ["unwound"]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def _talk(port: int, rounds: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = 0
    for number in range(rounds):
        words = b"x" * (1 + number * 37 % 900)
        writer.write(words)
        received += len(await reader.readexactly(len(words)))
    writer.close()
    await writer.wait_closed()
    return received


def test_sockets_timers_and_callbacks_together_while_qt_paints(loop: Any, qapp: QApplication):
    """16 busy connections, 3,000 timers, and a Qt timer of 10 ms that must not be starved."""
    beats: list[float] = []
    ticker = QTimer()
    label = QLabel("0")
    label.show()

    def beat() -> None:
        beats.append(time.monotonic())
        label.setText(str(len(beats)))

    ticker.timeout.connect(beat)

    async def story() -> list[int]:
        server = await asyncio.start_server(_echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        ticker.start(10)
        for number in range(3_000):
            loop.call_later(number / 10_000, lambda: None)
        received = await asyncio.gather(*(_talk(port, 1_500) for _ in range(16)))
        server.close()
        await server.wait_closed()
        return received

    received = loop.run_until_complete(story())
    ticker.stop()
    label.close()
    assert len(set(received)) == 1
    assert received[0] > 100_000
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(beats))
    assert len(gaps) > 5
    # A busy machine takes the processor away now and then; a loop that starves Qt does so at every beat, or once and for long.
    assert gaps[len(gaps) // 2] < 0.05
    assert gaps[-1] < 2


def test_a_task_that_never_waits_does_not_starve_qt(loop: Any):
    fired: list[str] = []

    async def story() -> None:
        end = time.monotonic() + WITHIN_S
        QTimer.singleShot(20, lambda: fired.append("fired"))
        while not fired and time.monotonic() < end:
            await asyncio.sleep(0)

    loop.run_until_complete(story())
    assert fired


def test_the_loop_can_be_run_again_and_keeps_pending_callbacks(loop: Any):
    left: list[str] = []

    async def first() -> None:
        loop.call_later(0.01, left.append, "timer")

    loop.run_until_complete(first())
    loop.run_until_complete(asyncio.sleep(0.05))
    assert left == ["timer"]


def test_callbacks_pending_when_the_loop_stops_run_in_the_next_run(loop: Any, qapp: QApplication):
    """Qt still delivers events after the stop; a task that ran then would find no running loop."""
    loops: list[Any] = []

    async def later() -> str:
        for _ in range(3):
            await asyncio.sleep(0)
            loops.append(asyncio.get_running_loop())
        return "went on"

    async def first() -> asyncio.Task[str]:
        return loop.create_task(later())

    task = loop.run_until_complete(first())
    ran = len(loops)
    for _ in range(5):
        qapp.processEvents()
    assert len(loops) == ran
    assert loop.run_until_complete(task) == "went on"
    assert loops == [loop] * 3


def test_a_closed_loop_runs_nothing_and_accepts_nothing(loop: Any, qapp: QApplication):
    ran: list[str] = []
    loop.call_soon(ran.append, "soon")
    loop.call_soon_threadsafe(ran.append, "from a thread")
    loop.call_later(0, ran.append, "timer")
    loop.close()
    qapp.processEvents()
    time.sleep(0.002)  # the timer is due
    qapp.processEvents()
    assert ran == []
    for call in (loop.call_soon, loop.call_soon_threadsafe):
        with pytest.raises(RuntimeError, match="closed"):
            call(ran.append, "too late")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are the system's own there")
def test_a_signal_wakes_the_sleeping_loop(loop: Any):
    async def story() -> str:
        got = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, got.set)
        threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        await asyncio.wait_for(got.wait(), WITHIN_S)
        loop.remove_signal_handler(signal.SIGUSR1)
        return "awake"

    assert loop.run_until_complete(story()) == "awake"


@pytest.mark.skipif(sys.platform != "linux", reason="the selector loop is Linux's")
def test_asyncio_has_the_private_parts_that_the_selector_loop_uses(qapp: QApplication):
    made = SelectorLoop(qapp)
    try:
        for name in ("_run_once", "_ready", "_scheduled", "_ssock", "_write_to_self", "_read_from_self", "_process_events"):
            assert hasattr(made, name), name
        assert made._add_callback.__func__ is asyncio.BaseEventLoop._add_callback
    finally:
        made.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the selector loop is Linux's")
def test_asyncio_continues_after_a_qt_loop_nested_in_a_callback(qapp: QApplication):
    made = SelectorLoop(qapp)
    asyncio.set_event_loop(made)

    async def story() -> str:
        end = time.monotonic() + 0.03
        made.call_later(0.01, lambda: None)
        while time.monotonic() < end:
            qapp.processEvents()
        await asyncio.sleep(0.01)
        return await asyncio.to_thread(lambda: "went on")

    try:
        assert made.run_until_complete(story()) == "went on"
    finally:
        made.close()
        asyncio.set_event_loop(None)
