"""Planted artefacts are found, natural differences are not."""

import numpy as np
import pytest
from scipy.stats.contingency import association as uncorrected

from stages.core.errors import RecordingError
from stages.core.recordings.artefacts import (
    Graded,
    association,
    find_artefacts,
    require_none,
    require_one_signal,
    values_by_class,
)
from tests.core.recordings.sources import capture_config
from tests.core.recordings.test_limits import GOOD

CLASSES = ("healthy", "worn", "broken")
FACTS = {"sample_rate_hz": "12800", "channels": "x", "unit": "g", "counts_per_unit": "1", "device": "a"}


def config(**changes):
    named = {f"artefacts__{key}": value for key, value in changes.items()}
    return capture_config("synthetic_bearing", **named).artefacts


def sessions(label, flags=(), facts=(), n=20):
    """Sessions of a class; flags: name -> mean, scattered by a tenth; facts: name -> values in turn."""
    rng = np.random.Generator(np.random.PCG64(len(label)))
    made = []
    for index in range(n):
        scattered = {name: mean * (1 + 0.1 * rng.standard_normal()) for name, mean in dict(flags).items()}
        known = {name: values[index % len(values)] for name, values in dict(facts).items()}
        made.append(Graded(label, {**GOOD, **scattered}, {**FACTS, **known}))
    return made


def found(of, **changes):
    return [artefact.name for artefact in find_artefacts(of, CLASSES, config(**changes)) if artefact.found]


def test_sensor_hold_in_one_class_is_found_and_stops_with_the_medians():
    both = sessions("healthy", {"repeated_fraction": 0.007}) + sessions("worn", {"repeated_fraction": 0.3})
    assert found(both) == ["repeated_fraction"]
    with pytest.raises(RecordingError) as caught:
        require_none(find_artefacts(both, CLASSES, config()))
    said = str(caught.value)
    assert "repeated_fraction tells the class (auc 1: median of healthy 0.00" in said
    assert "worn 0.3" in said and "capture.artefacts.allow: [repeated_fraction]" in said


def test_artefact_that_is_allowed_by_name_passes_and_stays_on_record():
    both = sessions("healthy", {"repeated_fraction": 0.007}) + sessions("worn", {"repeated_fraction": 0.3})
    artefacts = find_artefacts(both, CLASSES, config(allow=["repeated_fraction"]))
    require_none(artefacts)
    (artefact,) = [artefact for artefact in artefacts if artefact.found]
    assert artefact.allowed


def test_difference_that_is_not_material_is_not_found():
    both = sessions("healthy", {"repeated_fraction": 0.001}) + sessions("worn", {"repeated_fraction": 0.004})
    assert found(both) == []
    assert next(a for a in find_artefacts(both, CLASSES, config()) if a.name == "repeated_fraction").value > 0.99


def test_material_difference_that_does_not_rank_the_sessions_is_not_found():
    both = sessions("healthy", {"repeated_fraction": 0.1}) + sessions("worn", {"repeated_fraction": 0.1}, n=10)
    both += sessions("worn", {"repeated_fraction": 0.5}, n=11)
    assert found(both) == []


def test_two_of_three_classes_suffice():
    three = sessions("healthy") + sessions("worn") + sessions("broken", {"clipped_fraction": 0.4})
    assert found(three) == ["clipped_fraction"]


def test_fact_that_goes_with_the_class_is_found():
    both = sessions("healthy", facts={"device": ["a"]}) + sessions("worn", facts={"device": ["b"]})
    assert found(both) == ["device"]
    with pytest.raises(RecordingError, match=r"device tells the class \(association 1: a \(20 healthy\), b \(20 worn"):
        require_none(find_artefacts(both, CLASSES, config()))


def test_fact_that_is_spread_over_the_classes_is_not_found():
    assert found(sessions("healthy", facts={"device": "ab"}) + sessions("worn", facts={"device": "ba"})) == []


def test_serial_number_of_each_session_says_nothing_of_the_class():
    healthy = sessions("healthy", facts={"device": [f"h{k}" for k in range(20)]})
    assert found(healthy + sessions("worn", facts={"device": [f"w{k}" for k in range(20)]})) == []


def test_one_class_has_nothing_to_be_told_from():
    assert find_artefacts(sessions("healthy") + sessions("uncertain"), CLASSES, config()) == []


def test_association_nears_the_uncorrected_one_where_sessions_are_many():
    table = np.array([[600, 100], [300, 500], [50, 450]])
    pairs = [(str(i), str(j)) for i in range(3) for j in range(2) for _ in range(table[i, j])]
    value = association(*zip(*pairs, strict=True))
    assert value == pytest.approx(uncorrected(table, method="cramer"), rel=2e-3)


@pytest.mark.parametrize(
    ("values", "labels", "expected"),
    [("aabb", "xxyy", 1.0), ("abab", "xxyy", 0.0), ("ab", "xy", 0.0), ("aaaa", "xxyy", 0.0), ("abcd", "xxyy", 0.0)],
)
def test_association_of_few_sessions_by_hand(values, labels, expected):
    assert association(values, labels) == pytest.approx(expected)


def test_values_by_class_is_ordered():
    assert values_by_class(["b", "a", "b"], ["y", "x", "x"]) == "a (1 x), b (1 x, 1 y)"


def test_second_sample_rate_is_refused_and_said_to_go_with_the_class():
    healthy = sessions("healthy", facts={"sample_rate_hz": ["48000"]}, n=3)
    require_one_signal(healthy)
    with pytest.raises(RecordingError) as caught:
        require_one_signal(healthy + sessions("worn", n=4))
    said = str(caught.value)
    assert (
        "sample_rate_hz differs between recordings: 12800 (4 worn), 48000 (3 healthy); it goes with the class" in said
    )
    with pytest.raises(RecordingError) as caught:
        require_one_signal(healthy + sessions("healthy", n=2) + sessions("worn", n=4))
    assert "goes with" not in str(caught.value)
