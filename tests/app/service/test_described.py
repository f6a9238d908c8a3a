"""Whatever the description of the service allows, and what it does not, is answered without a fault of ours."""

import warnings

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from affectspace.app.service.asked_model import AskedModel
from affectspace.app.service.routes import make_service
from affectspace.app.service.searched_space import SearchedSpace
from affectspace.space import Space

# No description can say what is a recording or an item of the space, so what fits it may still be refused.
BEYOND = [positive_data_acceptance]
# What does not fit it is refused, also by being too much.
REFUSED = "[checks.negative_data_rejection]\nexpected-statuses = [404, 413, 415, 422]"
EXAMPLES = 12  # of each operation and kind
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.fixture(params=["heard", "seen", "read"])
def described(request, tmp_path):
    """The description of a service that searches, of each kind of model."""
    run = request.getfixturevalue(request.param) / "run"
    Space.open(run).save(tmp_path / "space.parquet")
    asked = AskedModel(run)
    app = make_service(asked, SearchedSpace(tmp_path / "space.parquet", asked))
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=SchemathesisConfig.from_str(REFUSED))


@pytest.fixture(scope="module", autouse=True)
def _files(make_sound, make_picture):
    """Files that are asked with: whole ones of every kind, the same cut short or with other bytes within, and noise."""
    whole = st.sampled_from(
        [*(make_sound(0.4, kind=kind) for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF")),
         *(make_picture(kind=kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"))]
    )  # fmt: skip
    cut = st.builds(lambda content, share: content[: int(share * len(content))], whole, st.floats(0, 1))
    changed = st.builds(
        lambda content, at, other: content[:at] + other + content[at + len(other) :],
        whole, st.integers(0, 200), st.binary(min_size=1, max_size=8),
    )  # fmt: skip
    schemathesis.openapi.format("binary", whole | whole | cut | changed | st.binary())


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
def test_no_request_meets_a_fault_and_every_answer_is_as_described(described, mode):
    statuses = set()
    for found in described.get_all_operations():
        operation = found.ok()

        def asks(case):
            answer = case.call()
            statuses.add(answer.status_code)
            assert answer.status_code < 500
            case.validate_response(answer, excluded_checks=BEYOND)

        try:
            strategy = operation.as_strategy(generation_mode=mode)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                BOUNDED(given(strategy)(asks))()
        except Exception as error:
            if "Impossible to generate" in str(error) or "Unsatisfiable" in type(error).__name__:  # nothing to be wrong
                continue
            raise
    assert statuses
