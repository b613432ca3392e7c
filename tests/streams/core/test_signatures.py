"""Signatures: ids do not hide a storm, one meta-alert a window, a bounded book."""

from __future__ import annotations

import pytest

from streams.core.signatures import SignatureBook, SignaturePolicy, mask, signature, signatures

MINUTE = 60_000
POLICY = SignaturePolicy(threshold=3, window_s=60)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("session 1 closed", "session 4711 closed"),
        ("peer 10.0.0.1 lost", "peer 192.168.100.200 lost"),
        ("mac 00:1a:2b:3c:4d:5e moved", "mac aa:bb:cc:dd:ee:ff moved"),
        ("id 3fa85f64-5717-4562-b3fc-2c963f66afa6", "id 00000000-0000-4000-8000-abcdefabcdef"),
        ("host fe80::1 gone", "host 2001:db8::dead:beef gone"),
        ("commit deadbeef", "commit 0badc0de"),
    ],
)
def test_ids_do_not_count(one: str, other: str) -> None:
    assert signature("h", one) == signature("h", other)


@pytest.mark.parametrize(
    ("one", "other"), [("link up", "link lost"), ("line protocol", "link protocol"), ("tunnel", "tunnels")]
)
def test_words_count(one: str, other: str) -> None:
    assert signature("h", one) != signature("h", other)


def test_a_text_with_half_a_character_has_a_signature_too() -> None:
    assert signature("h", "link \udcff 7 down") == signature("h", "link \udcff 12 down")
    assert signature("h", "link \udcff down") != signature("h\udcff", "link down")


def test_many_at_once_are_what_each_is_alone() -> None:
    pairs = [("h1", "link 7 down"), ("höst", "ü 12 \0 " + "x1" * 400), ("h1", ""), ("h2", "link 7 down")]
    assert signatures(*zip(*pairs, strict=True)) == [signature(*pair) for pair in pairs]
    assert signatures([], []) == []


def test_the_host_counts() -> None:
    assert signature("h1", "m") != signature("h2", "m")


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("Gi0/1 went down", "Gi#/# went down"),
        ("peer 10.1.2.3 lost", "peer #.#.#.# lost"),
        ("id 0xDEADBEEF ok", "id # ok"),
        ("uuid 3fa85f64-5717-4562-b3fc-2c963f66afa6", "uuid #"),
        ("face value", "face value"),
    ],
)
def test_mask(message: str, masked: str) -> None:
    assert mask(message) == masked


def observe(book: SignatureBook, times: list[int], policy: SignaturePolicy = POLICY) -> list[bool]:
    """Whether each event, each in a batch of its own, crosses the threshold."""
    crossed = []
    for at in times:
        draft = book.draft()
        crossed.append(draft.observe(1, "h", "m 1", at, policy) is not None)
        book.apply(draft)
    return crossed


def test_one_meta_alert_at_the_threshold_and_no_more_within_the_window() -> None:
    assert observe(SignatureBook(), [0, 1, 2, 3, 4]) == [False, False, True, False, False]


def test_a_new_window_counts_from_one() -> None:
    assert observe(SignatureBook(), [0, 1, 2, MINUTE + 1, MINUTE + 2, MINUTE + 3]) == [
        False, False, True, False, False, True,
    ]  # fmt: skip


def test_a_lowered_threshold_counts_at_the_next_event() -> None:
    book = SignatureBook()
    assert observe(book, [0, 1], SignaturePolicy(100, 60)) == [False, False]
    assert observe(book, [2], SignaturePolicy(2, 60)) == [True]


def test_a_batch_that_does_not_commit_changes_nothing() -> None:
    book = SignatureBook()
    draft = book.draft()
    draft.observe(1, "h", "m", 0, POLICY)
    assert book.entries == {}


def test_rows_from_the_second_sighting() -> None:
    book = SignatureBook()
    draft = book.draft()
    draft.observe(1, "h", "m 17", 0, POLICY)
    assert draft.rows() == {}
    draft.observe(1, "h", "m 18", 1, POLICY)
    (seen,) = draft.rows().values()
    assert (seen.count, seen.template, seen.sample) == (2, "m #", "m 18")


def test_the_book_stays_within_its_limit_and_forgets_the_longest_unseen() -> None:
    book = SignatureBook(limit=3)
    for at in range(2):
        draft = book.draft()
        for key in range(3):
            draft.observe(key, "h", "m", at, POLICY)
        book.apply(draft)
    draft = book.draft()
    draft.observe(0, "h", "m", 5, POLICY)
    draft.observe(99, "h", "m", 5, POLICY)
    assert draft.deletions() == [1]
    book.apply(draft)
    assert list(book.entries) == [2, 0, 99]


def test_the_same_in_every_process_and_version() -> None:
    assert signature("h1", "link 7 down") == -5115795768193664919
