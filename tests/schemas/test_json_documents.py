"""Strict JSON documents: what is read, and what is refused with its place."""

from __future__ import annotations

import pytest

from schemas.errors import DocumentRefused, RecordRejected
from schemas.json_checks import DEPTH_LIMIT, explain
from schemas.json_documents import document
from tests.builders import event_json


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (b'{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        (b"\xef\xbb\xbf[]", []),
        (b'[{"a": 1}, {"a": 1}]', [{"a": 1}, {"a": 1}]),
        (b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT, "deep"),
    ],
)
def test_a_document_is_plain_data(value: bytes, read: object) -> None:
    found = document(value)
    assert found == read or (read == "deep" and isinstance(found, list))


@pytest.mark.parametrize(
    ("value", "pointer", "detail"),
    [
        (b'{"a": "\xff"}', "", "not UTF-8 at byte 7"),
        (b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1), "", f"nested deeper than {DEPTH_LIMIT}"),
        (b'{"a": 1', "", "Input data was truncated"),
        (b'{"a": 1, "a": 1}', "/a", "stands there twice"),
        (b'{"a": [{}, {"b/c": 1, "b/c": 2}]}', "/a/1/b~1c", "stands there twice"),
    ],
)
def test_a_refused_one_tells_the_place(value: bytes, pointer: str, detail: str) -> None:
    with pytest.raises(DocumentRefused) as refused:
        document(value)
    assert (refused.value.pointer, refused.value.detail) == (pointer, detail)
    assert str(refused.value) == (f"{pointer}: {detail}" if pointer else detail)


def test_what_only_the_typed_decoder_saw_is_told_in_its_words() -> None:
    varbinds = event_json(varbinds={"1.3": 1})
    with pytest.raises(RecordRejected, match="Expected") as rejected:
        explain(varbinds, "h1", "Expected `int`")
    assert rejected.value.reason == "field"
