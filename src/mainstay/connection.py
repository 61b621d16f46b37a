"""The connection to a Temporal server, wherever it is.

Where that is follows Temporal's own convention, read by its SDK: ``TEMPORAL_ADDRESS``,
``TEMPORAL_NAMESPACE``, ``TEMPORAL_API_KEY``, ``TEMPORAL_TLS...`` and the profiles of a TOML file
(``TEMPORAL_CONFIG_FILE``, ``TEMPORAL_PROFILE``). Without any, it is the embedded server of this
data directory when one is up, and else the usual address on this machine.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, GrpcCompression
from temporalio.envconfig import ClientConfigProfile, ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode

from mainstay.devserver import DEFAULT_PORT, find_live_server, server_database
from mainstay.payloads import DATA_CONVERTER, ContinuationGuard
from mainstay.schemas.errors import InvalidInput, Refused, Unavailable
from mainstay.schemas.search import SEARCH_ATTRIBUTES
from mainstay.settings import Settings

DEFAULT_ADDRESS = f"127.0.0.1:{DEFAULT_PORT}"
CONNECT_TIMEOUT = timedelta(seconds=2)
"""How long an unencrypted server, which is near, may take to answer."""
CONNECT_TIMEOUT_TLS = timedelta(seconds=10)
RPC_TIMEOUT = timedelta(seconds=5)
SEEN_LATELY = timedelta(minutes=2)
"""A worker asks for work at least once a minute."""

_KINDS = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
}
_REASON = re.compile(r'message: "([^"]+)"')
_DENIED = re.compile(r"code: (PermissionDenied|Unauthenticated)\b")


def explicit_address() -> str:
    """Return the address that Temporal's own configuration names; empty when it names none.

    Raises:
        InvalidInput: that configuration cannot be read.
    """
    return _load_options().get("target_host") or ""


def configured_address(settings: Settings) -> str:
    """Tell where the server should be: configured, or embedded and up, or the usual address.

    Raises:
        InvalidInput: Temporal's configuration cannot be read.
    """
    configured = explicit_address()
    if configured:
        return configured
    live = find_live_server(server_database(settings))
    return live.address if live is not None else DEFAULT_ADDRESS


async def connect(settings: Settings, *, address: str | None = None, lazy: bool = False) -> Client:
    """Connect to the server.

    Args:
        settings: Where the embedded server's data is, if there is one.
        address: ``host:port`` to use instead of the configured address; everything else of the
            configuration (namespace, TLS, API key) stays.
        lazy: connect when the server is first needed, for those who may never need it.

    Raises:
        InvalidInput: Temporal's configuration cannot be read.
        Unavailable: nothing answers there in time.
        Refused: the server does not accept who we are.
    """
    target = address or configured_address(settings)
    try:
        return await _open(target, lazy)
    except TimeoutError:
        raise _unanswered(target, "no answer in time") from None
    except RuntimeError as error:  # the SDK's core says it in one long text
        said = _REASON.search(str(error))
        reason = said.group(1) if said else str(error)
        if _DENIED.search(str(error)):
            raise Refused(
                f"the Temporal server at {target} refuses the connection: {reason}",
                hint="check TEMPORAL_API_KEY and TEMPORAL_NAMESPACE",
            ) from error
        raise _unanswered(target, reason) from error


async def is_answering(address: str) -> bool:
    """Tell whether a Temporal server answers at an address now; takes at most two seconds."""
    try:
        host, _, port = address.rpartition(":")
        async with asyncio.timeout(CONNECT_TIMEOUT.total_seconds()):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            writer.close()
            await writer.wait_closed()
            await _open(address)
    except (OSError, ValueError, RuntimeError):
        return False
    return True


async def ensure_search_attributes(client: Client) -> None:
    """Add those of our search attributes that the client's namespace lacks.

    Raises:
        Unavailable: they are missing and the server does not let us add them.
    """
    listing = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace), timeout=RPC_TIMEOUT
    )
    missing = {
        name: _KINDS[kind]
        for name, kind in SEARCH_ATTRIBUTES.items()
        if name not in listing.custom_attributes
    }
    if not missing:
        return
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
    try:
        await client.operator_service.add_search_attributes(request, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status == RPCStatusCode.ALREADY_EXISTS:
            return
        raise Unavailable(
            f"cannot add the search attributes {', '.join(sorted(missing))} "
            f"to the namespace {client.namespace!r}: {error.message}",
            hint="add them by hand: Keyword, and KeywordList for MainstayCapability",
        ) from error


async def has_worker(client: Client, task_queue: str) -> bool:
    """Tell whether a worker asked for workflow work on a task queue lately."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        ),
        timeout=RPC_TIMEOUT,
    )
    since = datetime.now(UTC) - SEEN_LATELY
    return any(poller.last_access_time.ToDatetime(tzinfo=UTC) > since for poller in answer.pollers)


def _load_options() -> ClientConnectConfig:
    try:
        return ClientConfigProfile.load().to_client_connect_config()
    except (RuntimeError, ValueError, OSError) as error:
        raise InvalidInput(
            f"Temporal's configuration cannot be read: {error}",
            hint="check TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE and the files they mean",
        ) from error


async def _open(address: str, lazy: bool = False) -> Client:
    options = _load_options()
    options["target_host"] = address
    is_near = not options.get("tls")
    timeout = CONNECT_TIMEOUT if is_near else CONNECT_TIMEOUT_TLS
    # Between neighbours compressing costs more than it saves: a tenth of a worker's own time.
    compression = GrpcCompression.NONE if is_near else GrpcCompression.GZIP
    async with asyncio.timeout(timeout.total_seconds()):
        return await Client.connect(
            **options,
            lazy=lazy,
            grpc_compression=compression,
            data_converter=DATA_CONVERTER,
            interceptors=[ContinuationGuard()],
        )


def _unanswered(address: str, reason: str) -> Unavailable:
    return Unavailable(
        f"no Temporal server answers at {address}: {reason}",
        hint="start one with `mainstay up`, or set TEMPORAL_ADDRESS",
    )
