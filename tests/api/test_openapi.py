"""The OpenAPI document: it is one, and it tells of the API that is there, with examples that fit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route
from support.installation import made, to
from support.openapi import closed, operations, shown, wrong
from support.served import served

from api.app import Installation, application
from api.codes import CODES
from api.endpoint import Endpoint
from api.openapi.document import document
from config.deployment import Api

DOCUMENT = document()
CLOSED = closed(DOCUMENT)
OPERATIONS = list(operations(CLOSED))
NAMES = [f"{method} {path}" for path, method, _ in OPERATIONS]
every_operation = pytest.mark.parametrize("operation", [one for _, _, one in OPERATIONS], ids=NAMES)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the API."""
    with served(made(tmp_path_factory.mktemp("api"), hook=to("http://127.0.0.1:9"))) as it:
        yield it.base


def asked(base: str, method: str, path: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(urlsplit(base).netloc, timeout=30)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_it_is_a_document_of_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_it_has_every_route_of_the_application_and_no_other() -> None:
    anything = mock.MagicMock()
    routes = set()
    for route in application(Installation(Api(), {}, anything, anything, anything, anything, print, print)).routes:
        assert isinstance(route, Route)
        assert isinstance(route.endpoint, Endpoint)
        routes |= {(route.path, method.lower()) for method in route.endpoint.answers}
    assert routes == {(path, method) for path, method, _ in OPERATIONS}


@every_operation
def test_every_example_fits_its_schema_and_has_no_member_that_is_not_told_of(operation: dict[str, Any]) -> None:
    for what, schema, examples in shown(operation):
        assert examples, what
        for example in examples:
            assert wrong(CLOSED, schema, example) == [], what


def test_an_example_that_does_not_fit_is_found() -> None:
    (schema,) = [one for what, one, _ in shown(CLOSED["paths"]["/readyz"]["get"]) if what.startswith("200")]
    assert wrong(CLOSED, schema, {"status": "ok", "ledger": "ok", "drop_zone": "ok"}) == []
    assert wrong(CLOSED, schema, {"status": "ok", "ledger": "ok"})
    assert wrong(CLOSED, schema, {"status": "ok", "ledger": "fine", "drop_zone": "ok"})
    assert wrong(CLOSED, schema, {"status": "ok", "ledger": "ok", "drop_zone": "ok", "port": 8080})


@every_operation
def test_every_operation_is_told_in_words(operation: dict[str, Any]) -> None:
    assert operation["operationId"]
    assert operation["summary"]
    assert operation["description"].endswith(".")
    assert all(one["description"] for one in [*operation.get("parameters", []), *operation["responses"].values()])


def codes_of(response: dict[str, Any]) -> set[str]:
    """The codes that an error's response names; none for another response."""
    schema = response["content"]["application/json"]["schema"]
    return set(schema["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"]) if "allOf" in schema else set()


def test_each_error_code_is_told_of_under_its_status() -> None:
    found = {
        (code, int(status))
        for _, _, operation in OPERATIONS
        for status, response in operation["responses"].items()
        for code in codes_of(response)
    }
    in_words = {("request.method", 405)}  # it is never the answer to an operation that is there
    assert all(f"{status} `{code}`" in DOCUMENT["info"]["description"] for code, status in in_words)
    assert found | in_words == {(code, one.status) for code, one in CODES.items()}
    assert set(DOCUMENT["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"]) == set(
        CODES
    )


def test_links_lead_to_operations_with_such_parameters() -> None:
    parameters = {
        operation["operationId"]: {one["name"] for one in operation.get("parameters", [])}
        for _, _, operation in OPERATIONS
    }
    answers = [response for _, _, operation in OPERATIONS for response in operation["responses"].values()]
    links = [link for answer in answers for link in answer.get("links", {}).values()]
    assert {link["operationId"] for link in links} == {"getRecord", "listBatches"}
    assert all(link["parameters"].keys() <= parameters[link["operationId"]] for link in links)


def test_who_is_to_wait_is_told_for_how_long() -> None:
    for _, _, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            waits = status in ("429", "503") and codes_of(response)
            assert ("Retry-After" in response.get("headers", {})) == bool(waits)


def test_all_but_the_service_itself_is_signed() -> None:
    assert DOCUMENT["security"] == [{"sigv4": []}]
    assert DOCUMENT["components"]["securitySchemes"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    own = {operation["operationId"]: operation["security"] for _, _, operation in OPERATIONS if "security" in operation}
    unsigned = {"getOpenapi": [], "getHealthz": [], "getReadyz": []}
    assert own == {**unsigned, "putUpload": [{"presigned": []}]}


def test_the_api_tells_it_to_anybody(base: str) -> None:
    response, body = asked(base, "GET", "/v1/openapi.json")
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == DOCUMENT


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE"])
@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_other_methods_are_answered_405_with_those_that_there_are(base: str, path: str, method: str) -> None:
    response, body = asked(base, method, path.replace("{", "").replace("}", ""))
    assert response.status == 405
    assert response.headers["allow"] == ", ".join(sorted(DOCUMENT["paths"][path])).upper()
    assert body == b"" if method == "HEAD" else json.loads(body)["error"]["code"] == "request.method"


@pytest.mark.parametrize("path", ["/", "/v1/records/", "/v1/batches/", "/v1/uploads/", "/healthz/", "/v2/records"])
def test_a_path_that_is_none_leads_nowhere_else(base: str, path: str) -> None:
    response, body = asked(base, "GET", path)
    assert (response.status, json.loads(body)["error"]["code"]) == (404, "path")
    assert response.headers["content-type"] == "application/json"
