"""The weights that come with the package score what they scored when they were released."""

import json

import pytest

from tests.record_scores import STORED, record_scores


@pytest.mark.slow
def test_a_subset_of_the_sequences_of_record():
    found, stored = record_scores(), json.loads(STORED.read_text())
    assert found["sha256"] == stored["sha256"]
    assert found["mean"] == pytest.approx(stored["mean"], rel=1e-3)
