from hypothesis import given
from hypothesis import strategies as st

from collectors.window import Window


def _window(acknowledged: int = 0, size: int = 4) -> Window:
    return Window.starting_at(acknowledged, size=size, timeout_s=5.0, timeout_max_s=20.0)


def _send(window: Window, count: int, now_s: float = 0.0) -> None:
    for _ in range(count):
        window.sent(window.published + 1, now_s=now_s)


def test_no_more_than_the_window_is_in_flight() -> None:
    window = _window()
    _send(window, 4)
    assert window.room == 0
    assert window.acked(3, now_s=1.0)
    assert window.room == 3


def test_silence_makes_the_first_unacknowledged_sweep_knock_alone_ever_more_rarely() -> None:
    window = _window()
    _send(window, 4)
    knocks = []
    for second in range(100):
        if window.tick(now_s=float(second)):
            knocks.append(second)
            assert (window.published, window.room) == (0, 1)
            _send(window, 1, now_s=float(second))
    assert knocks == [5, 15, 35, 55, 75, 95]


def test_an_answer_after_silence_opens_the_window_again() -> None:
    window = _window()
    _send(window, 4)
    assert window.tick(now_s=5.0)
    _send(window, 1, now_s=5.0)
    assert window.acked(1, now_s=6.0)
    assert window.room == 2
    _send(window, 2, now_s=6.0)
    assert not window.tick(now_s=10.9)
    assert window.tick(now_s=11.0)


def test_an_acknowledgement_that_stays_put_makes_it_go_back_once_until_it_moves() -> None:
    window = _window(acknowledged=10)
    _send(window, 3)
    assert not window.acked(10, now_s=1.0)
    assert (window.published, window.repeats) == (10, 1)
    _send(window, 3)
    assert not window.acked(10, now_s=1.1)
    assert not window.acked(10, now_s=1.2)
    assert (window.published, window.repeats) == (13, 1)
    assert window.acked(11, now_s=1.3)
    assert not window.acked(11, now_s=1.4)
    assert (window.published, window.repeats) == (11, 2)


def test_an_acknowledgement_from_before_is_passed_over() -> None:
    window = _window(acknowledged=10)
    _send(window, 3)
    assert not window.acked(4, now_s=1.0)
    assert window.published == 13


def test_after_a_restart_an_acknowledgement_beyond_what_was_published_skips_what_the_ledger_has() -> None:
    window = _window()
    _send(window, 1)
    assert window.acked(7, now_s=1.0)
    assert (window.acknowledged, window.published, window.outstanding) == (7, 7, False)


@given(st.data())
def test_whatever_is_lost_on_the_way_the_ledger_gets_every_sweep_once_and_in_order(data: st.DataObject) -> None:
    window, applied, now_s, last = _window(size=3), 0, 0.0, 12
    for round_number in range(400):
        now_s += 1.0
        answers = []
        while window.room > 0 and window.published < last:
            sequence = window.published + 1
            window.sent(sequence, now_s=now_s)
            # Nothing is lost any more after a while: then it must come to an end.
            if round_number > 60 or data.draw(st.booleans(), label="arrives"):
                applied += sequence == applied + 1
                answers.append(applied)
        for answer in answers:
            if round_number > 60 or data.draw(st.booleans(), label="answer arrives"):
                window.acked(answer, now_s=now_s)
        window.tick(now_s=now_s)
        assert window.acknowledged <= applied
        if window.acknowledged == last:
            break
    assert applied == window.acknowledged == last
