"""Tasks of plans that agents do: asked, judged, sent back, stopped, paid for."""

from __future__ import annotations

from textwrap import dedent

from mainstay.schemas.run import PlanStatus


def script(stage, name: str, text: str) -> str:
    """Write a script, and return the model that plays it."""
    path = stage.folder / f"{name}.yaml"
    path.write_text(dedent(text))
    return f"script:{path}"


def agent(model: str, **more) -> dict:
    return {"prompt": "You work.", "model": model, **more}


async def test_the_answer_of_an_agent_is_the_output_of_its_task(stage):
    model = script(stage, "echo", "loop: true\nturns: [{say: 'I was told: ${{ user }}'}]")
    run = await stage.succeed(
        {
            "first": {"tool": "test.echo", "with": {"value": "a word"}},
            "ask": {
                "needs": "first",
                "agent": "parrot",
                "prompt": "Say ${{ needs.first.outputs }}.",
            },
        },
        agents={"parrot": agent(model)},
        outputs={"said": "${{ needs.ask.outputs }}"},
    )
    assert await run.outputs() == {"said": "I was told: Say a word."}
    assert (await run.result()).status is PlanStatus.SUCCEEDED
