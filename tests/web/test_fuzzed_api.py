"""Requests that nobody thought of, made from the document: no server error, no undocumented answer, nothing wrong accepted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from bellwire.plugins import Plugins
from bellwire_web.api import ROUTES
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from web_world import new_world, open_runtime

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
    unsupported_method,
)
FEW, MANY = 4, pytest.param(200, marks=pytest.mark.proof)  # an operation


@pytest.fixture(scope="module")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, plugins: Plugins) -> Iterator[tuple[Any, str]]:
    """An application that all requests go to, and a key for it."""
    folder = tmp_path_factory.mktemp("fuzzed")
    for part in sqlite_template.glob("bellwire.db*"):
        shutil.copy(part, folder)
    runtime = open_runtime(f"sqlite:///{folder}/bellwire.db", plugins)
    world = new_world(runtime)
    yield world.app, world.a.key
    runtime.store.close()


@pytest.fixture(scope="module")
def api(served: tuple[Any, str]) -> Any:
    """The document as the server gives it."""
    return schemathesis.openapi.from_wsgi("/openapi.json", served[0])


LABELS = [f"{operation.method} {operation.path}" for routes in ROUTES for operation in routes.operations]


@pytest.mark.parametrize("examples", [FEW, MANY])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", LABELS)
def test_no_request_breaks_it(api: Any, served: tuple[Any, str], label: str, mode: GenerationMode, examples: int) -> None:
    operation = api.find_operation_by_label(label)
    headers = {"Authorization": f"Bearer {served[1]}"}

    # a batch judges each row by itself: a bad row is an item of a good answer
    checks = [check for check in CHECKS if check is not negative_data_rejection or not label.endswith("/batch")]

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(mode))
    def run(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=checks)

    try:
        run()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "the document describes requests that can't be made"
