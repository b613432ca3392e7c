"""What the errors of PostgreSQL and its driver mean: wait, one row's own fault, or halt."""

from __future__ import annotations

import asyncpg
import pytest

from schemas.errors import PartitionHalted, QuestionFailed, RowRefused, StoreUnavailable, TooSlow
from streams.adapters.faults import store_faults


def postgres_error(state: str, context: str = "") -> asyncpg.PostgresError:
    return asyncpg.PostgresError.new({"C": state, "M": "no", "W": context})


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InterfaceError("pool is closing"),
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
        asyncpg.exceptions.ProtocolError("unexpected message"),
        ConnectionRefusedError("refused"),
        TimeoutError(),
        postgres_error("57P03"),
        postgres_error("42501"),
    ],
    ids=lambda error: f"{type(error).__name__}",
)
def test_what_is_waited_for(error: Exception) -> None:
    with pytest.raises(StoreUnavailable), store_faults():
        raise error


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("57014", TooSlow),
        ("25P04", TooSlow),
        ("42501", QuestionFailed),
        ("42P01", QuestionFailed),
        ("40001", QuestionFailed),
        ("55P03", QuestionFailed),
        ("57P01", StoreUnavailable),
        ("57P03", StoreUnavailable),
        ("53300", StoreUnavailable),
        ("28P01", StoreUnavailable),
        ("08006", StoreUnavailable),
    ],
)
def test_whether_the_server_or_one_question_fails(state: str, kind: type[StoreUnavailable]) -> None:
    with pytest.raises(StoreUnavailable) as waited, store_faults():
        raise postgres_error(state)
    assert type(waited.value) is kind


@pytest.mark.parametrize("state", ["22001", "54000"])
def test_a_row_refused_within_a_copy(state: str) -> None:
    with pytest.raises(RowRefused) as refused, store_faults("audit"):
        raise postgres_error(state, 'COPY audit, line 3, column message: "x"')
    assert refused.value.line == 3


def test_a_value_that_the_driver_refuses() -> None:
    with pytest.raises(RowRefused) as refused, store_faults("audit"):
        raise OverflowError("value out of int32 range")
    assert refused.value.line is None
    with pytest.raises(OverflowError), store_faults():
        raise OverflowError("not within a COPY: a defect")


def test_books_that_do_not_add_up_halt_the_partition() -> None:
    with pytest.raises(PartitionHalted), store_faults("audit"):
        raise postgres_error("23505")


def test_a_defect_stays_one() -> None:
    with pytest.raises(ZeroDivisionError), store_faults("audit"):
        raise ZeroDivisionError
