"""How values cross a workflow boundary: pydantic's JSON, never more than 100 KiB at once.

Everything that crosses is kept in a workflow's history, so a large value is paid for at each
replay, and a history dies at 50 MB. Too much is therefore refused where it is made, by name:
in the client and in workflow code as :class:`InvalidInput`, and for what an activity returns as
its failure, which is never retried.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn

import temporalio.client
import temporalio.worker
import temporalio.workflow
from pydantic import BaseModel
from pydantic_core import to_json
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DataConverter, DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ContinueAsNewInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from mainstay.schemas.errors import InvalidInput, MainstayError
from mainstay.schemas.limits import MAX_PAYLOAD_BYTES

MAX_NAMED_PARTS = 1_000
"""With more parts than this none is named: measuring them takes too long in workflow code."""

MAX_FAILURE_CHARS = 4_000
"""Longest message and longest stack trace of a failure in history."""


class LimitedPayloadConverter(PydanticPayloadConverter):
    """Pydantic's JSON, refusing any payload over :data:`MAX_PAYLOAD_BYTES`."""

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:  # Any: whatever is sent
        """Encode values.

        Raises:
            InvalidInput: one is too large; names its type and its largest part.
        """
        payloads = super().to_payloads(values)
        for value, payload in zip(values, payloads, strict=True):
            if len(payload.data) > MAX_PAYLOAD_BYTES:
                raise too_large(value, len(payload.data))
        return payloads


class ErrorConverter(DefaultFailureConverter):
    """Tells Temporal what of ours may be retried, keeps the hint, and cuts what is very long."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """Describe an exception; the hint of ours becomes the failure's first detail."""
        if isinstance(exception, MainstayError):
            exception = _as_application_error(exception)
        super().to_failure(exception, payload_converter, failure)
        failure.message = _cut(failure.message)
        failure.stack_trace = _cut(failure.stack_trace)


DATA_CONVERTER = DataConverter(
    payload_converter_class=LimitedPayloadConverter,
    failure_converter_class=ErrorConverter,
)
"""What every client, worker and replayer of Mainstay is given."""


class ContinuationGuard(temporalio.client.Interceptor, temporalio.worker.Interceptor):
    """Lets a run fail whose state is too large to continue as new.

    The SDK encodes that state where nobody catches the error any more, and the run would hang.
    A client that has this interceptor gives it to its workers.
    """

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Name the class that stands between the worker and each run."""
        return _GuardedRun


class _GuardedRun(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_GuardedCalls(outbound))


class _GuardedCalls(WorkflowOutboundInterceptor):
    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        temporalio.workflow.payload_converter().to_payloads(input.args)
        super().continue_as_new(input)


def too_large(value: object, size_bytes: int) -> InvalidInput:
    """The error for a value that may not cross: its type, its size, its largest part."""
    parts = list(islice(_parts(value), MAX_NAMED_PARTS + 1))
    if len(parts) > MAX_NAMED_PARTS:
        parts = []
    sizes = [(name, len(to_json(part, fallback=repr))) for name, part in parts]
    largest, part_bytes = max(sizes, key=lambda size: size[1], default=("", 0))
    inside = f" (largest field: {largest}, {_kib(part_bytes)})" if largest else ""
    return InvalidInput(
        f"{type(value).__name__} is {_kib(size_bytes)}{inside}; "
        f"at most {_kib(MAX_PAYLOAD_BYTES)} may cross a workflow boundary",
        hint="keep large values in storage and pass a reference to them",
    )


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield name, getattr(value, name)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield field.name, getattr(value, field.name)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield str(key), part
    elif isinstance(value, list | tuple):
        for position, part in enumerate(value):
            yield f"[{position}]", part


def _as_application_error(error: MainstayError) -> ApplicationError:
    details = (error.hint,) if error.hint else ()
    known = ApplicationError(
        error.message,
        *details,
        type=type(error).__name__,
        non_retryable=not error.is_retryable,
    )
    known.__traceback__ = error.__traceback__
    known.__cause__ = error.__cause__
    return known


def _cut(text: str) -> str:
    return text if len(text) <= MAX_FAILURE_CHARS else text[: MAX_FAILURE_CHARS - 1] + "…"


def _kib(size_bytes: int) -> str:
    return f"{-(-size_bytes // 1024)} KiB"
