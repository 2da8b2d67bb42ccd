"""Documents that once were good: cut, flipped, doubled, nested, and with what readers stumble over put in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

STUMBLES = (
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\\ud800",
    b"\\u0000",
    b'"',
    b'""',
    b"'",
    b"\\",
    b"\r",
    b"\n",
    b"\x1a",
    b"\xe2\x80\xa8",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"NaN",
    b"-Infinity",
    b"-0",
    b"1e400",
    b"1e-400",
    b"9" * 25,
    b"9" * 5_000,
    b"0000-00-00",
    b"99999-01-01T00:00:00Z",
    b"0001-01-01T00:00:00.000Z",
    b"99991231 23:59:59.999",
    b"00010101 00:00:00.000",
    b"20240230 00:00:00.000",
    b"<html>",
    b",",
    b":",
    b"Invalid token",
)
_DEPTHS = (3, 60, 300, 800, 990, 1_200, 20_000)


@st.composite
def mutated(draw: st.DrawFn, documents: Sequence[bytes]) -> bytes:
    """Draw one of some documents, changed in up to four ways."""
    body = draw(st.sampled_from(documents))
    for _ in range(draw(st.integers(0, 4))):
        body = _changed(draw, body)
    return body


def _changed(draw: st.DrawFn, body: bytes) -> bytes:
    start = draw(st.integers(0, len(body)))
    end = min(len(body), start + draw(st.integers(0, 40)))
    piece = body[start:end]
    flipped = bytes(byte ^ draw(st.integers(1, 255)) for byte in piece[:1])
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: body[:start],
        lambda: body[:start] + body[end:],
        lambda: body[:end] + piece + body[end:],
        lambda: body[:start] + flipped + body[start + 1 :],
        lambda: body[:start] + draw(st.sampled_from(STUMBLES)) + body[end:],
        lambda: _nested(draw, body),
        lambda: _with_another_value(draw, body),
    )
    return draw(st.sampled_from(ways))()


def _nested(draw: st.DrawFn, body: bytes) -> bytes:
    """Put something deep in the place of a value, or around the whole."""
    opening, closing = draw(st.sampled_from(((b"[", b"]"), (b'{"a":', b"}"))))
    depth = draw(st.sampled_from(_DEPTHS))
    before, colon, after = body.partition(b":")
    if not colon or draw(st.booleans()):
        return opening * depth + (body or b"1") + closing * depth
    return before + colon + opening * depth + b"1" + closing * depth + b',"x":' + after


def _with_another_value(draw: st.DrawFn, body: bytes) -> bytes:
    """Put another value after one of the colons, as members of a wrong type and doubled members have."""
    parts = body.split(b":")
    at = draw(st.integers(0, len(parts) - 1))
    value = draw(st.sampled_from((b"null", b"1", b"-1.5", b"true", b'"x"', b"[]", b"[1]", b"{}", b'{"a":[null]}')))
    tail = b',"Items":' if draw(st.booleans()) else b',"x":'
    return (
        b":".join((*parts[: at + 1], value + tail + b":".join(parts[at + 1 :]))) if at + 1 < len(parts) else body
    )
