"""Qdrant's REST requests, carried out by qdrant-client's local mode. Its own models judge the bodies, as a server would."""

import re
from typing import TYPE_CHECKING, Any

from agents.src.services.qdrant_wire import Refusal

if TYPE_CHECKING:
    from qdrant_client.local.qdrant_local import QdrantLocal

PATH = re.compile(r"/collections/([^/]+)(/.*)?")
DONE = {"operation_id": 0, "status": "completed"}


def answer(client: "QdrantLocal", method: str, path: str, body: Any = None) -> Any:
    """The `result` member of what a server would answer. Raises Refusal."""
    from pydantic import ValidationError

    match = PATH.fullmatch(path.partition("?")[0])
    if not match:
        raise Refusal(404, f"There is no path {path}.")
    try:
        return _Requests(client, match[1]).answer(method, match[2] or "", body)
    except ValidationError as error:
        raise Refusal(400, f"Format error in JSON body: {error}") from None
    except ValueError as error:
        raise Refusal(_status_of(str(error)), str(error)) from None
    except KeyError as error:
        raise Refusal(404, f"Not found: No point with id {error} found") from None


def _status_of(reason: str) -> int:
    """Local mode says in words what a server says by a status."""
    if reason.startswith("Collection ") and reason.endswith(" not found"):
        return 404
    return 409 if reason.startswith("Collection ") and reason.endswith(" already exists") else 400


class _Requests:
    """Those about one collection."""

    def __init__(self, client: "QdrantLocal", name: str) -> None:
        from qdrant_client.http import models

        self._client = client
        self._name = name
        self._models = models

    def answer(self, method: str, path: str, body: Any) -> Any:
        if path.startswith("/vectors/"):
            return self._add_vector(path.removeprefix("/vectors/"), body)
        if not path:
            return self._whole(method, body)
        carry_out = {
            "PUT /index": self._index,
            "PUT /points": self._upsert,
            "PUT /points/vectors": self._update_vectors,
            "POST /points": self._retrieve,
            "POST /points/batch": self._batch,
            "POST /points/count": self._count,
            "POST /points/delete": self._delete,
            "POST /points/payload": self._set_payload,
            "POST /points/query": self._query,
            "POST /points/query/batch": self._queries,
            "POST /points/scroll": self._scroll,
        }.get(f"{method} {path}")
        if carry_out is None:
            raise Refusal(404, f"The embedded Qdrant does not know {method} {path}.")
        return carry_out(body)

    # The collection

    def _whole(self, method: str, body: Any) -> Any:
        match method:
            case "GET":
                return plain(self._client.get_collection(self._name))
            case "PUT":
                wanted = self._models.CreateCollection.model_validate(body or {})
                return self._client.create_collection(self._name, wanted.vectors or {}, wanted.sparse_vectors)
            case "DELETE":
                return self._client.delete_collection(self._name)
        raise Refusal(405, f"A collection does not know {method}.")

    def _index(self, body: Any) -> Any:
        # Nothing to do: local mode reads every point, and warns whoever asks it for an index.
        self._models.CreateFieldIndex.model_validate(body)
        self._client.get_collection(self._name)
        return DONE

    def _add_vector(self, vector: str, body: Any) -> Any:
        from pydantic import TypeAdapter

        wanted = TypeAdapter(self._models.VectorNameConfig).validate_python(body)
        return plain(self._client.create_vector_name(self._name, vector, wanted))

    # Writes

    def _upsert(self, body: Any) -> Any:
        wanted = self._models.PointsList.model_validate(body)
        done = self._client.upsert(self._name, wanted.points, wanted.update_filter, wanted.update_mode)
        return plain(done)

    def _update_vectors(self, body: Any) -> Any:
        wanted = self._models.UpdateVectors.model_validate(body)
        return plain(self._client.update_vectors(self._name, wanted.points, wanted.update_filter))

    def _batch(self, body: Any) -> Any:
        wanted = self._models.UpdateOperations.model_validate(body)
        only = getattr(wanted.operations[0], "upsert", None) if len(wanted.operations) == 1 else None
        if isinstance(only, self._models.PointsList):
            # A batch is judged as a whole, and then each operation once more: of one, once is enough.
            return [self._upsert(only)]
        return [plain(done) for done in self._client.batch_update_points(self._name, wanted.operations)]

    def _delete(self, body: Any) -> Any:
        from pydantic import TypeAdapter

        which = TypeAdapter(self._models.PointsSelector).validate_python(body)
        return plain(self._client.delete(self._name, which))

    def _set_payload(self, body: Any) -> Any:
        wanted = self._models.SetPayload.model_validate(body)
        which = wanted.points if wanted.points is not None else wanted.filter
        if which is None:
            raise Refusal(400, "No filter or points provided")
        return plain(self._client.set_payload(self._name, wanted.payload, which, wanted.key))

    # Reads

    def _retrieve(self, body: Any) -> Any:
        wanted = self._models.PointRequest.model_validate(body)
        payload = True if wanted.with_payload is None else wanted.with_payload
        return [plain(point) for point in self._client.retrieve(self._name, wanted.ids, payload, wanted.with_vector or False)]

    def _count(self, body: Any) -> Any:
        wanted = self._models.CountRequest.model_validate(body)
        return plain(self._client.count(self._name, wanted.filter))

    def _scroll(self, body: Any) -> Any:
        wanted = self._models.ScrollRequest.model_validate(body)
        payload = True if wanted.with_payload is None else wanted.with_payload
        order = self._models.OrderBy(key=wanted.order_by) if isinstance(wanted.order_by, str) else wanted.order_by
        which = (wanted.filter, wanted.limit or 10, order, wanted.offset, payload, wanted.with_vector or False)
        points, following = self._client.scroll(self._name, *which)
        return {"points": [plain(point) for point in points], "next_page_offset": following}

    def _query(self, body: Any) -> Any:
        return plain(self._found(self._models.QueryRequest.model_validate(body)))

    def _queries(self, body: Any) -> Any:
        wanted = self._models.QueryRequestBatch.model_validate(body)
        return [plain(self._found(one)) for one in wanted.searches]

    def _found(self, wanted: Any) -> Any:
        return self._client.query_points(
            self._name,
            wanted.query,
            using=wanted.using,
            prefetch=wanted.prefetch,
            query_filter=wanted.filter,
            search_params=wanted.params,
            limit=wanted.limit or 10,
            offset=wanted.offset,
            with_payload=False if wanted.with_payload is None else wanted.with_payload,
            with_vectors=wanted.with_vector or False,
            score_threshold=wanted.score_threshold,
        )


def plain(model: Any) -> Any:
    """As JSON has it."""
    return model.model_dump(mode="json", exclude_none=True)
