"""All faults of plain data at once, each with its place."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType

from schemas.json_faults import faults_in


class Wheel(Struct):
    size: Annotated[int, Meta(ge=1, le=9)]
    label: str | None = None


class Car(Struct):
    name: str
    wheels: list[Wheel] = []
    spare: Wheel | None = None
    extra: Wheel | UnsetType = UNSET
    colours: dict[str, int] = {}
    plate: str = msgspec.field(default="", name="number-plate")


FAULTS: list[tuple[Any, list[str]]] = [
    ({"name": "a"}, []),
    ({"name": "a", "spare": None, "wheels": []}, []),
    ({"name": "a", "number-plate": "x", "plate": "x"}, ["/plate"]),
    (
        {"wheels": [{"size": 1}, {"size": 0}, {"size": 1, "x": 1}, 4]},
        ["/name", "/wheels/1/size", "/wheels/2/x", "/wheels/3"],
    ),
    (
        {"name": 1, "spare": {"size": "1", "label": 2}, "extra": {}},
        ["/name", "/spare/size", "/spare/label", "/extra/size"],
    ),
    ({"name": "a", "colours": {"red": "1"}, "wheels": {}}, ["/colours", "/wheels"]),
    ({"name": "a", "extra": None}, ["/extra"]),
    (None, [""]),
    ([{"name": "a"}], [""]),
]


@pytest.mark.parametrize(("data", "pointers"), FAULTS)
def test_every_fault_has_its_place(data: Any, pointers: list[str]) -> None:
    assert sorted(fault.pointer for fault in faults_in(data, Car)) == sorted(pointers)


def test_the_detail_says_the_bound_and_no_place() -> None:
    (fault,) = faults_in({"size": 10}, Wheel)
    assert (fault.pointer, fault.detail) == ("/size", "Expected `int` <= 9")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "wheels", "spare", "extra", "size", "label", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(
    _JSON | st.fixed_dictionaries({"name": st.just("a")}, optional={"wheels": _JSON, "spare": _JSON, "extra": _JSON})
)
def test_data_without_fault_is_what_msgspec_takes(data: Any) -> None:
    if not faults_in(data, Car):
        msgspec.convert(data, Car)
