"""Progress: counted to the end, its time left free of waiting for compilers, parts within a whole."""

import io
import sys
import time

import pytest

from rnndyn.dynamics import progress
from rnndyn.errors import InputError


@pytest.fixture
def clock(monkeypatch):
    """Return a list whose only entry is the time that `time.monotonic` tells."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_compiling_is_left_out_of_the_rate(clock):
    shown = progress.Progress(1000.0)
    shown.say("compiling", pause=True)
    clock[0] += 30.0
    shown.at(0.0)
    shown.at(100.0)
    assert shown.left is None
    clock[0] += 2.0
    shown.at(300.0)
    assert shown.left == pytest.approx(7.0)
    shown.say("compiling more", pause=True)
    clock[0] += 60.0
    shown.at(400.0)
    assert shown.left == pytest.approx(6.0)
    clock[0] += 5.0
    shown.at(600.0)
    assert shown.left == pytest.approx(400.0 * 7.0 / 400.0)


def test_a_callable_hears_each_change_once():
    heard = []
    with progress.progress_display(lambda *said: heard.append(said), 10.0) as shown:
        for done in (0, 3, 3, 2, 20):
            shown.at(done)
    assert heard == [(0.0, 10.0), (3, 10.0), (10.0, 10.0)]


def test_parts_move_the_whole():
    heard = []
    with progress.progress_display(lambda done, total: heard.append(done), 100.0) as whole:
        first = whole.part(40.0, "1 of 2")
        with progress.progress_display(first, 8.0) as same:  # counts in steps of its own
            assert same is first
            same.at(2.0)
            same.at(12.0)
        whole.part(60.0, "2 of 2").at(30.0)
    assert heard == [0.0, 10.0, 40.0, 70.0][1:]


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_waits_and_tells_the_time_left(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Screen())
    with progress.progress_display(None, 100.0, patience=2.0) as bar:
        bar.at(10.0)
        assert bar.bar is None
        clock[0] += 5.0
        bar.at(20.0)
        assert bar.bar.tasks[0].fields["left"] == "40 s left"
        bar.say("writing")
        assert bar.bar.tasks[0].description == "writing"
    assert bar.bar.finished is False
    assert not bar.bar.live.is_started


def test_silence_and_mistakes(monkeypatch):
    with progress.progress_display(False, 1.0) as shown:
        assert type(shown) is progress.Progress
    with pytest.raises(InputError, match="`progress` must be"), progress.progress_display("yes", 1.0):
        pass


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7300, "2 h 1 min")])
def test_durations(seconds, words):
    assert progress._duration(seconds) == words


def test_only_compiling_counts_as_compiling():
    import numba

    from rnndyn.kernels.clock import compile_clock

    inner = numba.njit(lambda x: x + 1)
    outer = numba.njit(lambda x: inner(x) * 2)
    with compile_clock() as clock:
        time.sleep(0.2)
        assert clock.seconds == 0.0
        begun = time.monotonic()
        outer(1)
        elapsed = time.monotonic() - begun
        assert 0.3 * elapsed < clock.seconds <= elapsed
        there = clock.seconds
        outer(2)
        assert clock.seconds == there
