"""Columns that stay small, each against the tuple or set that it stands for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serval.run.packed import Coded, Digests, Following, PositionSet, Scattered, Texts

SHAS = st.one_of(st.just(""), st.binary(min_size=32, max_size=32).map(bytes.hex))
VALUES = {
    Texts: st.text(max_size=6),
    Digests: SHAS,
    Coded: st.one_of(st.none(), st.sampled_from("abc")),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_packed_column_is_the_tuple_of_its_values_in_any_order(kind):
    @given(st.lists(VALUES[kind]), st.randoms(use_true_random=False))
    def check(values, random):
        column = kind()
        for value in values:
            column.append(value)
        order = list(range(len(values)))
        random.shuffle(order)
        turned = column.ordered(np.array(order, dtype=np.int64))
        assert column == tuple(values)
        assert tuple(values) == column
        assert column[1:3] == tuple(values[1:3])
        assert [column[-i] for i in range(1, len(values) + 1)] == values[::-1]
        assert list(turned) == [values[i] for i in order]
        assert column != (*values, "one more")

    check()


@given(st.lists(st.sampled_from("ab")), st.lists(st.sampled_from("ab")), st.booleans())
def test_a_column_that_follows_another_has_its_own_values(leading, values, alike):
    leader = Coded()
    for value in leading:
        leader.append(value)
    values = [*leading, *values] if alike else values
    column = Following(leader)
    for value in values:
        column.append(value)
    assert column == tuple(values)
    assert (column.whole() is leader) == (values == leading)
    assert column.whole() == tuple(values)
    assert leader == tuple(leading)
    backwards = np.arange(len(values))[::-1]
    assert column.ordered(backwards) == tuple(values[::-1])


@given(st.lists(st.one_of(st.none(), st.sampled_from("ab"))), st.randoms(use_true_random=False))
def test_a_scattered_column_has_no_value_where_none_was_put(values, random):
    column = Scattered()
    for row, value in enumerate(values):
        if value is not None:
            column.put(row, value)
    order = list(range(len(values)))
    random.shuffle(order)
    assert column.ordered(None, len(values)) == tuple(values)
    turned = column.ordered(np.array(order, dtype=np.int64), len(values))
    assert turned == tuple(values[i] for i in order)
    assert [turned[i] for i in range(len(values))] == [values[i] for i in order]


@given(st.lists(st.integers(0, 30)), st.lists(st.integers(0, 30)))
def test_a_set_of_positions_is_a_set(first, more):
    some = PositionSet(first)
    for position in more:
        some.add(position)
    whole = {*first, *more}
    assert len(some) == len(whole)
    assert [i in some for i in range(32)] == [i in whole for i in range(32)]
    assert some.first_missing == min(set(range(33)) - whole)
