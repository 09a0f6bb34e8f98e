"""The table of the APIs' routes, and the OpenAPI 3.1 document that is made of it.

A room of an API says what it serves as a list of ``Operation``, and ``make_app`` puts all lists together: from them
come the routes, what a token must be allowed to do, ``/openapi.json`` and the page ``/docs``. To register a route:

    Operation(
        "GET", "/v2/things/{thing_id}", self.show,
        tag="Things", summary="Show one thing", scope=Scope.READ,
        answers={200: Success[Thing]},          # TypedDict, dataclass or pydantic model; a dict is a schema itself
        query=[Query("size", int, "How many.")],
        body={"application/json": Wish[NewThing]},
        faults=Problem,                         # what every answer from 400 on holds
    )

The types are those that handlers use: what is answered is built as its TypedDict, what is asked for is read by its
pydantic type. ``bytes`` as the type of an answer or a body is a document. Handlers find their own entry in
``request[OPERATION]``; ``Auth.caller`` asks the token for its scope.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypedDict

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from gateway.account import Scope

VERSION = "3.1.0"
#: A type that pydantic knows, or a finished JSON schema.
Schema = Any
_JSON = "application/json"
_PARAMETER = re.compile(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
_REF = "#/components/schemas/{model}"
_BINARY = {"type": "string", "contentMediaType": "application/octet-stream"}

#: What opens the APIs; each of them alone does.
SECURITY: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
}


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter of the query. A name that ends in ``*`` stands for all names that begin so."""

    name: str
    type: Schema
    description: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. *path* is aiohttp's, *answers* maps the statuses of success to what the body holds,
    *body* media types to what may be sent. *scope* None means that no token is needed. *types* names the media types
    of an answer that is ``bytes``."""

    method: str
    path: str
    handler: Handler
    tag: str = field(kw_only=True)
    summary: str = field(kw_only=True)
    scope: Scope | None = field(kw_only=True, default=None)
    answers: Mapping[int, Schema] = field(kw_only=True, default_factory=dict)
    faults: Schema = field(kw_only=True, default=None)
    query: Sequence[Query] = field(kw_only=True, default=())
    body: Mapping[str, Schema] = field(kw_only=True, default_factory=dict)
    types: Sequence[str] = field(kw_only=True, default=("application/pdf", "image/tiff"))
    description: str = field(kw_only=True, default="")

    def route(self) -> web.RouteDef:
        """Return the route for aiohttp; HEAD goes with GET."""
        make = web.get if self.method == "GET" else _route(self.method)
        return make(self.path, self._run)

    async def _run(self, request: web.Request) -> web.StreamResponse:
        request[OPERATION] = self
        return await self.handler(request)


class Common(TypedDict, total=False):
    """What all operations of a room have in common, for ``Operation(..., **common)``."""

    tag: str
    scope: Scope | None
    faults: Schema


OPERATION = web.RequestKey("operation", Operation)


def describe(operations: Iterable[Operation], *, version: str, about: str = "") -> dict[str, Any]:
    """Return the OpenAPI document of *operations*."""
    table = list(operations)
    schemas = _Schemas(table)
    paths: dict[str, dict[str, Any]] = {}
    for operation in table:
        paths.setdefault(_PARAMETER.sub(r"{\1}", operation.path), {})[operation.method.lower()] = _described(
            operation, schemas
        )
    tags = sorted({operation.tag for operation in table})
    return {
        "openapi": VERSION,
        "info": {"title": "Faxgate", "version": version, "description": about},
        "tags": [{"name": tag} for tag in tags],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": SECURITY},
    }


class _Schemas:
    """The JSON schemas of all types that *table* names; those with a name are components."""

    def __init__(self, table: Iterable[Operation]) -> None:
        wanted: dict[tuple[int, JsonSchemaMode], Any] = {}
        for operation in table:
            sent = [*operation.body.values(), *(query.type for query in operation.query)]
            told = [*operation.answers.values(), operation.faults]
            for schema, mode in [*((one, _IN) for one in sent), *((one, _OUT) for one in told)]:
                if not _finished(schema):
                    wanted[id(schema), mode] = schema
        inputs = [(key, key[1], TypeAdapter(schema)) for key, schema in wanted.items()]
        self._made, shared = TypeAdapter.json_schemas(inputs, ref_template=_REF)
        self.components: dict[str, Any] = shared.get("$defs", {})
        self._kept = wanted  # an id is good for as long as its object lives

    def of(self, schema: Schema, mode: JsonSchemaMode) -> dict[str, Any]:
        """Return the JSON schema of a type."""
        if schema is bytes:
            return dict(_BINARY)
        if _finished(schema):
            return dict(schema or {})
        return dict(self._made[(id(schema), mode), mode])


_IN: JsonSchemaMode = "validation"
_OUT: JsonSchemaMode = "serialization"


def _finished(schema: Schema) -> bool:
    return schema is None or schema is bytes or isinstance(schema, dict)


def _described(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    told: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": _identity(operation),
        "parameters": [*_path_parameters(operation.path), *(_query(one, schemas) for one in operation.query)],
        "responses": _responses(operation, schemas),
    }
    if operation.description:
        told["description"] = operation.description
    if operation.body:
        content = {kind: {"schema": schemas.of(schema, _IN)} for kind, schema in operation.body.items()}
        told["requestBody"] = {"content": content, "required": True}
    if operation.scope is not None:
        told["security"] = [{name: []} for name in SECURITY]
        told["description"] = f"{operation.description} Needs the scope `{operation.scope.value}`.".strip()
    return {name: value for name, value in told.items() if value != []}


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    responses: dict[str, dict[str, Any]] = {}
    for status, schema in operation.answers.items():
        kinds = operation.types if schema is bytes else [_JSON]
        shape = {"schema": schemas.of(schema, _OUT)}
        responses[str(status)] = {"description": HTTPStatus(status).phrase}
        if schema is not None:
            responses[str(status)]["content"] = dict.fromkeys(kinds, shape)
    fault = {"content": {_JSON: {"schema": schemas.of(operation.faults, _OUT)}}}
    return {**responses, "default": {"description": "It could not be done; the body says why.", **fault}}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(path)
    ]


def _query(query: Query, schemas: _Schemas) -> dict[str, Any]:
    told: dict[str, Any] = {"name": query.name, "in": "query", "required": query.required}
    schema = schemas.of(query.type, _IN)
    if query.name.endswith("*"):
        # OpenAPI has no names with a pattern: an object whose members are parameters of their own says the same.
        schema = {"type": "object", "additionalProperties": schema}
        # Without an example of nothing the page invents members, and asks with them.
        told |= {"style": "form", "explode": True, "example": {}}
    return {**told, "description": query.description, "schema": schema}


def _identity(operation: Operation) -> str:
    words = re.findall(r"\w+", _PARAMETER.sub(r"by_\1", operation.path))
    return "_".join([operation.method.lower(), *words])


def _route(method: str) -> Any:
    def make(path: str, handler: Handler) -> web.RouteDef:
        return web.route(method, path, handler)

    return make
