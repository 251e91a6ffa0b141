"""The OpenAPI document says all there is to say, and its examples are true to its schemas."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from jsonschema import Draft202012Validator

from agents.src.api.openapi import OPEN
from tests.api.house import House, story

PROBLEM = "application/problem+json"


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def responses(document: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            yield f"{method} {path} {status}", int(status), response


def check(document: dict[str, Any], schema: dict[str, Any], example: object, where: str) -> None:
    whole = {**schema, "components": document["components"]}
    faults = [fault.message for fault in Draft202012Validator(whole).iter_errors(example)]
    assert faults == [], where


def examples(content: dict[str, Any]) -> list[Any]:
    several = [example["value"] for example in content.get("examples", {}).values()]
    return several + ([content["example"]] if "example" in content else [])


def routes(app: FastAPI) -> set[tuple[str, str]]:
    return {(method.lower(), path) for path, methods in app.openapi()["paths"].items() for method in methods}


@story()
async def test_the_document_is_served_and_lists_every_route(house: House) -> None:
    document = (await house.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert {(method, path) for method, path, _ in operations(document)} == routes(house.app)
    assert len(routes(house.app)) == 40


@story()
async def test_every_operation_is_guarded_or_open(house: House) -> None:
    document = house.app.openapi()
    for method, path, operation in operations(document):
        assert operation["security"] == ([] if path in OPEN else [{"token": []}]), path
        assert ("401" in operation["responses"]) == (path not in OPEN), path
        assert operation["description"], f"{method} {path}"
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


@story()
async def test_every_error_is_a_problem_with_examples(house: House) -> None:
    document = house.app.openapi()
    for where, status, response in responses(document):
        if status < 400:
            continue
        assert list(response["content"]) == [PROBLEM], where
        content = response["content"][PROBLEM]
        assert examples(content), where
        for example in examples(content):
            check(document, content["schema"], example, where)
            assert example["status"] == status, where
            kind = example["type"].rpartition("/")[2]
            assert (await house.client.get(example["type"])).json()["type"].endswith(kind)


@story()
async def test_every_success_has_a_schema_and_true_examples(house: House) -> None:
    document = house.app.openapi()
    for where, status, response in responses(document):
        if status < 400:
            assert ("content" in response) == (status not in (204, 304)), where
            assert response["description"] != "Successful Response", where
            for media_type, content in response.get("content", {}).items():
                assert content.get("schema") or content["itemSchema"], f"{where} {media_type}"
                for example in examples(content) if "schema" in content else ():
                    check(document, content["schema"], example, where)


@story()
async def test_the_example_of_the_stream_is_true(house: House) -> None:
    document = house.app.openapi()
    streams = [
        response["content"]["text/event-stream"]
        for _, _, response in responses(document)
        if "text/event-stream" in response.get("content", {})
    ]
    assert len(streams) == 2
    for stream in streams:
        fields = dict(line.split(": ", 1) for line in stream["example"].strip().splitlines())
        check(document, stream["itemSchema"], fields, "frame")
        data = json.loads(fields["data"])
        check(document, stream["itemSchema"]["properties"]["data"]["contentSchema"], data, "data")
        assert (str(data.get("seq", data.get("id"))), data.get("type", data.get("kind"))) == (fields["id"], fields["event"])


@story()
async def test_every_header_has_a_description_and_a_true_example(house: House) -> None:
    document = house.app.openapi()
    for where, status, response in responses(document):
        for name, header in response.get("headers", {}).items():
            assert header["description"], f"{where} {name}"
            check(document, header["schema"], header["example"], f"{where} {name}")
        if status in (401, 429, 503):
            assert response["headers"], where


@story()
async def test_every_parameter_and_body_has_a_description_and_true_examples(house: House) -> None:
    document = house.app.openapi()
    for _, path, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            assert schema.get("description"), f"{path} {parameter['name']}"
            assert {"type": "null"} not in schema.get("anyOf", ()), parameter["name"]
            for example in schema.get("examples", ()):
                check(document, schema, example, f"{path} {parameter['name']}")
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for example in examples(content):
                check(document, content["schema"], example, path)


@story()
async def test_the_examples_of_the_schemas_are_true(house: House) -> None:
    document = house.app.openapi()
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            check(document, schema, example, name)
        for member, part in schema.get("properties", {}).items():
            for example in part.get("examples", ()):
                check(document, part, example, f"{name}.{member}")
