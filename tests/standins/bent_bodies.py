"""Shopify's samples with some of their values replaced or taken away: what a strategy makes of them."""

from __future__ import annotations

import copy
import json
from typing import Any

from bellwire.testing import sample, samples
from hypothesis import strategies as st

PACKAGE = "bellwire_connectors.shopify"

SEEDS = {
    name: (sample(PACKAGE, name).header("X-Shopify-Topic"), json.loads(sample(PACKAGE, name).body)) for name in samples(PACKAGE)
}
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.none() | st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.none() | st.integers(), max_size=3),
    st.sampled_from(
        ["2026-01-05T09:00:00Z", "1E+99999", "-0", "gid://shopify/Order/1", "\x00", "+998900000012", 2**63, -1, {}, []]
    ),
)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a body."""
    found = [way] if way else []
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inside:
        found += places(one, (*way, name))
    return found


PLACES = {name: places(body) for name, (_, body) in SEEDS.items()}


@st.composite
def bent(draw: st.DrawFn) -> tuple[str, bytes]:
    """A sample with some of its values replaced or taken away."""
    name = draw(st.sampled_from(sorted(SEEDS)))
    topic, body = SEEDS[name]
    body = json.loads(json.dumps(body))
    for way in draw(st.lists(st.sampled_from(PLACES[name]), min_size=1, max_size=4)):
        target = body
        try:
            for step in way[:-1]:
                target = target[step]
            if draw(st.booleans()):
                target[way[-1]] = copy.deepcopy(draw(junk))  # the same list in two places would hold itself
            else:
                del target[way[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return topic, json.dumps(body).encode()
