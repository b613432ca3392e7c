"""All that keeps plain data from being a Struct, each fault with its place; msgspec itself stops at the first."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec.structs import fields

from schemas.json_checks import pointer_to


@dataclass(frozen=True, slots=True)
class JsonFault:
    """An RFC 6901 pointer to the place ("" for the whole), and what is wrong there."""

    pointer: str
    detail: str


_fields = cache(fields)  # looking them up costs more than all the rest
_PATH = re.compile(r" - at `(?:key in )?\$?([^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def faults_in(data: object, type_: Any, pointer: str = "") -> list[JsonFault]:
    """Every fault of this data, unknown members included; empty when `msgspec.convert` gives the type."""
    found = list(_inside(data, type_, pointer))
    return found or list(_whole(data, type_, pointer))


def _inside(data: object, type_: Any, pointer: str) -> Iterator[JsonFault]:
    type_ = _meant(type_)
    if _is_struct(type_) and isinstance(data, dict):
        yield from _members(data, type_, pointer)
    elif get_origin(type_) in (list, tuple) and isinstance(data, list) and _is_struct(_meant(get_args(type_)[0])):
        for at, item in enumerate(data):
            yield from faults_in(item, get_args(type_)[0], pointer_to(pointer, str(at)))


def _members(data: dict[str, Any], struct: type[msgspec.Struct], pointer: str) -> Iterator[JsonFault]:
    known = {field.encode_name: field for field in _fields(struct)}
    tag = struct.__struct_config__.tag_field
    for name in data:
        if name not in known and name != tag:
            yield JsonFault(pointer_to(pointer, name), "is no member known here")
    for name, field in known.items():
        at = pointer_to(pointer, name)
        if name in data:
            yield from faults_in(data[name], field.type, at)
        elif field.required:
            yield JsonFault(at, "is missing")


def _whole(data: object, type_: Any, pointer: str) -> Iterator[JsonFault]:
    """What msgspec says of this as one."""
    try:
        msgspec.convert(data, type_)
    except msgspec.ValidationError as error:
        text = str(error)
        match = _PATH.search(text)
        steps = _STEP.findall(match[1]) if match else []
        for name, number in steps:
            pointer = pointer_to(pointer, name or number)
        yield JsonFault(pointer, _PATH.sub("", text))


def _meant(type_: Any) -> Any:
    """The one type behind `Annotated`, and behind a union with None and UNSET."""
    if get_origin(type_) is Annotated:
        return _meant(get_args(type_)[0])
    if get_origin(type_) in (Union, types.UnionType):
        others = [arg for arg in get_args(type_) if arg not in (type(None), msgspec.UnsetType)]
        return _meant(others[0]) if len(others) == 1 else type_
    return type_


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)
