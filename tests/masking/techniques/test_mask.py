"""suppression.mask works on bytes; a plain loop over characters says what must come out."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from masking.techniques.base import get

TEXTS = st.lists(st.none() | st.text("ab1中é😀 \n", max_size=7) | st.text("0123", max_size=7), max_size=8)
COUNTS = st.integers(0, 3)


def masked(text: str | None, first: int, last: int, character: str) -> str | None:
    if text is None:
        return None
    hidden = len(text) - first - last
    if hidden <= 0:
        return character * len(text)
    return text[:first] + character * hidden + text[len(text) - last :]


@given(TEXTS, COUNTS, COUNTS, st.sampled_from("*#●"), st.sampled_from([None, 2000]))
def test_mask_equals_a_loop_over_characters(texts, first, last, character, long):
    texts = texts if long is None else [*texts, "长" * long]
    mask = get("suppression.mask").build(
        {"keep_first": first, "keep_last": last, "character": character}, attribute="a", keys=None
    )
    sliced = pa.array(["before", *texts], pa.string()).slice(1)
    result = mask.apply(sliced)
    result.validate(full=True)
    assert result.to_pylist() == [masked(text, first, last, character) for text in texts]
