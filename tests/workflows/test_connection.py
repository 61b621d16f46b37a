"""Connecting, and what may cross a workflow boundary, on the real server."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from mainstay.connection import (
    configured_address,
    connect,
    ensure_search_attributes,
    has_worker,
    is_answering,
)
from mainstay.devserver import find_free_port
from mainstay.devserver.lock import LiveServer, take_lock
from mainstay.devserver.options import server_database
from mainstay.schemas.errors import InvalidInput, MainstayError, Unavailable
from mainstay.schemas.limits import MAX_PAYLOAD_BYTES

QUEUE = "connection"
LARGE = "x" * (MAX_PAYLOAD_BYTES + 1)
TIMEOUT = timedelta(seconds=20)


class Parcel(BaseModel):
    label: str = ""
    content: str = ""


@activity.defn
async def return_large() -> Parcel:
    return Parcel(label="a", content=LARGE)


@activity.defn
async def refuse() -> None:
    raise InvalidInput("no " * 10_000, hint="ask otherwise")


@workflow.defn
class Crossing:
    """Sends something too large over the boundary it is told to."""

    @workflow.run
    async def run(self, way: str) -> Parcel | None:
        large = Parcel(content=LARGE)
        if way == "result":
            return large
        if way == "continue as new":
            workflow.continue_as_new(large)
        if way == "activity argument":
            await workflow.execute_activity("any", large, start_to_close_timeout=TIMEOUT)
        if way == "child argument":
            await workflow.execute_child_workflow(Crossing.run, LARGE)
        if way == "activity result":
            await workflow.execute_activity(return_large, start_to_close_timeout=TIMEOUT)
        if way == "refusal":
            await workflow.execute_activity(refuse, start_to_close_timeout=TIMEOUT)
        if way == "wait":
            await workflow.wait_condition(lambda: False)
        return None

    @workflow.signal
    async def take(self, parcel: Parcel) -> None:
        pass

    @workflow.update
    async def give(self) -> Parcel:
        return Parcel(content=LARGE)


@pytest.fixture
async def worker(temporal_client):
    async with Worker(
        temporal_client,
        task_queue=QUEUE,
        workflows=[Crossing],
        activities=[return_large, refuse],
        workflow_runner=UnsandboxedWorkflowRunner(),
        workflow_failure_exception_types=[MainstayError],
    ) as running:
        yield running


async def cross(client, way: str) -> BaseException:
    with pytest.raises(WorkflowFailureError) as caught:
        await client.execute_workflow(
            Crossing.run, way, id=str(uuid.uuid4()), task_queue=QUEUE, execution_timeout=TIMEOUT
        )
    return caught.value.cause


@pytest.mark.parametrize(
    "way", ["result", "continue as new", "activity argument", "child argument"]
)
async def test_too_large_in_workflow_code_fails_the_run_by_name(way, temporal_client, worker):
    cause = await cross(temporal_client, way)
    assert isinstance(cause, ApplicationError)
    assert cause.type == "InvalidInput"
    assert "is 101 KiB" in cause.message
    assert "at most 100 KiB" in cause.message


async def test_too_large_result_of_an_activity_is_not_retried(temporal_client, worker):
    cause = await cross(temporal_client, "activity result")
    assert isinstance(cause, ActivityError)
    assert isinstance(cause.cause, ApplicationError)
    assert cause.cause.type == "InvalidInput"
    assert cause.cause.non_retryable
    assert "Parcel is 101 KiB (largest field: content, 101 KiB)" in cause.cause.message


async def test_error_of_an_activity_keeps_its_hint_and_is_cut(temporal_client, worker):
    cause = await cross(temporal_client, "refusal")
    assert isinstance(cause, ActivityError)
    refusal = cause.cause
    assert isinstance(refusal, ApplicationError)
    assert (refusal.type, refusal.non_retryable) == ("InvalidInput", True)
    assert list(refusal.details) == ["ask otherwise"]
    assert len(refusal.message) < 5_000


async def test_too_large_input_signal_and_update_are_refused_by_name(temporal_client, worker):
    with pytest.raises(InvalidInput, match="str is 101 KiB"):
        await temporal_client.start_workflow(Crossing.run, LARGE, id="large", task_queue=QUEUE)
    handle = await temporal_client.start_workflow(
        Crossing.run, "wait", id=str(uuid.uuid4()), task_queue=QUEUE
    )
    with pytest.raises(InvalidInput, match="largest field: content"):
        await handle.signal(Crossing.take, Parcel(content=LARGE))
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(Crossing.give)
    assert "101 KiB" in str(caught.value.cause)
    await handle.terminate()


async def test_exactly_the_limit_may_cross(temporal_client):
    text = "x" * (MAX_PAYLOAD_BYTES - 2)  # and two quotes
    await temporal_client.start_workflow("Nobody", text, id=str(uuid.uuid4()), task_queue="none")


async def test_profile_of_a_file_says_where_the_server_is(
    temporal_server, settings, monkeypatch, tmp_path
):
    file = tmp_path / "temporal.toml"
    file.write_text(
        f'[profile.default]\naddress = "127.0.0.1:1"\n'
        f'[profile.near]\naddress = "{temporal_server.address}"\nnamespace = "other"\n'
    )
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    assert configured_address(settings) == "127.0.0.1:1"
    monkeypatch.setenv("TEMPORAL_PROFILE", "near")
    assert configured_address(settings) == temporal_server.address
    assert (await connect(settings)).namespace == "other"
    monkeypatch.setenv("TEMPORAL_PROFILE", "missing")
    with pytest.raises(InvalidInput, match="missing"):
        await connect(settings)


def test_embedded_server_that_is_up_is_the_address_unless_another_is_configured(
    settings, monkeypatch
):
    assert configured_address(settings) == "127.0.0.1:7233"
    lock = take_lock(server_database(settings))
    try:
        lock.publish(LiveServer(pid=1, address="127.0.0.1:7999"))
        assert configured_address(settings) == "127.0.0.1:7999"
        monkeypatch.setenv("TEMPORAL_ADDRESS", "elsewhere:7233")
        assert configured_address(settings) == "elsewhere:7233"
    finally:
        lock.release()


async def test_unanswered_address_is_named_with_what_to_do(settings):
    address = f"127.0.0.1:{find_free_port()}"
    assert not await is_answering(address)
    with pytest.raises(Unavailable, match=f"{address}: Connection refused") as caught:
        await connect(settings, address=address)
    assert "mainstay up" in caught.value.hint


async def test_worker_is_noticed_once_it_asks_for_work(temporal_client, worker):
    assert not await has_worker(temporal_client, "a queue that nobody serves")
    handle = await temporal_client.start_workflow(
        Crossing.run, "end", id=str(uuid.uuid4()), task_queue=QUEUE
    )
    await handle.result()
    assert await has_worker(temporal_client, QUEUE)


async def test_search_attributes_are_added_once(temporal_client):
    await ensure_search_attributes(temporal_client)
    await ensure_search_attributes(temporal_client)
