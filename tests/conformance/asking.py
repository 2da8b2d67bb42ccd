"""Fixtures that ask the client.

The older era lets a server ask during a call; the newer one lets it answer with a question, and be called again.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Elicit, Resolve, Sample
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel

from kai_erp.app import App

Call = Context[App, Any]
Reply = str | InputRequiredResult
_CHOICES = ["option1", "option2", "option3"]
_TITLED = [{"const": f"value{number}", "title": f"Choice {number}"} for number in (1, 2, 3)]
_ENUMS: dict[str, Any] = {
    "untitledSingle": {"type": "string", "enum": _CHOICES},
    "titledSingle": {"type": "string", "oneOf": _TITLED},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["One", "Two"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _CHOICES}},
    "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
}


class Person(BaseModel):
    username: str
    email: str


class Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


def _ask_model(prompt: str) -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(text=prompt))], max_tokens=100)


def _ask_model_anything() -> Sample:
    return _ask_model("Say a word.")


def _ask_person(message: str) -> Elicit[Person]:
    return Elicit(message, Person)


def _ask_anybody() -> Elicit[Person]:
    return _ask_person("Who are you?")


def _ask_with_defaults() -> Elicit[Defaults]:
    return Elicit("Is this right?", Defaults)


def test_sampling(prompt: str, said: Annotated[CreateMessageResult, Resolve(_ask_model)]) -> str:
    """Ask the client's model."""
    return f"{prompt}: {said.content}"


def test_missing_capability(said: Annotated[CreateMessageResult, Resolve(_ask_model_anything)]) -> str:
    """Ask the client's model, whether it has one or not."""
    return str(said.content)


def test_elicitation(message: str, person: Annotated[Person, Resolve(_ask_person)]) -> str:
    """Ask the user."""
    return f"{message}: {person}"


def test_streaming_elicitation(person: Annotated[Person, Resolve(_ask_anybody)]) -> str:
    """Ask the user, who did not expect it."""
    return str(person)


def test_elicitation_sep1034_defaults(given: Annotated[Defaults, Resolve(_ask_with_defaults)]) -> str:
    """Ask the user, and propose an answer."""
    return str(given)


async def test_elicitation_sep1330_enums(ctx: Call) -> str:
    """Let the user choose, in each of the ways to offer a choice."""
    schema = {"type": "object", "properties": _ENUMS}
    return str(await ctx.session.elicit_form("Choose.", schema, ctx.request_id))


def _question(message: str, **properties: str) -> ElicitRequest:
    schema = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(properties),
    }
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sampling(prompt: str) -> CreateMessageRequest:
    return CreateMessageRequest(params=CreateMessageRequestParams(**_ask_model(prompt).params.model_dump()))


def _asking(state: str | None = None, **questions: InputRequest) -> InputRequiredResult:
    return InputRequiredResult(input_requests=questions, request_state=state)


def _said(ctx: Call, name: str) -> object | None:
    """Return what the client answered to a question, or None."""
    given = (ctx.input_responses or {}).get(name)
    return given.content if isinstance(given, ElicitResult) else given


def test_input_required_result_elicitation(ctx: Call) -> Reply:
    """Ask who it is."""
    said = _said(ctx, "user_name")
    return f"Hello, {said}!" if said else _asking(user_name=_question("What is your name?", name="string"))


def test_input_required_result_sampling(ctx: Call) -> Reply:
    """Ask the client's model."""
    said = _said(ctx, "capital_question")
    return str(said) if said else _asking(capital_question=_sampling("What is the capital of France?"))


def test_input_required_result_list_roots(ctx: Call) -> Reply:
    """Ask for the client's folders."""
    said = _said(ctx, "client_roots")
    return str(said) if said else _asking(client_roots=ListRootsRequest())


def test_input_required_result_request_state(ctx: Call) -> Reply:
    """Ask, and know afterwards what was asked."""
    if _said(ctx, "confirm") and ctx.request_state == "asked":
        return "state-ok"
    return _asking("asked", confirm=_question("Please confirm", ok="boolean"))


def test_input_required_result_multiple_inputs(ctx: Call) -> Reply:
    """Ask the user, the model and the client at once."""
    questions: dict[str, InputRequest] = {
        "user_name": _question("What is your name?", name="string"),
        "greeting": _sampling("Generate a greeting"),
        "client_roots": ListRootsRequest(),
    }
    said = {name: _said(ctx, name) for name in questions}
    return str(said) if all(said.values()) and ctx.request_state == "asked" else _asking("asked", **questions)


def test_input_required_result_multi_round(ctx: Call) -> Reply:
    """Ask twice."""
    if ctx.request_state == "second" and _said(ctx, "step2"):
        return "Thank you."
    if ctx.request_state == "first" and _said(ctx, "step1"):
        return _asking("second", step2=_question("Step 2: What is your favorite color?", color="string"))
    return _asking("first", step1=_question("Step 1: What is your name?", name="string"))


def test_input_required_result_tampered_state(ctx: Call) -> Reply:
    """Ask, with a state that the client must not change."""
    return test_input_required_result_request_state(ctx)


def test_input_required_result_capabilities(ctx: Call) -> Reply:
    """Ask what this client can answer, and nothing else."""
    able = ctx.client_capabilities
    questions: dict[str, InputRequest] = {}
    if able and able.elicitation:
        questions["user_name"] = _question("What is your name?", name="string")
    if able and able.sampling:
        questions["greeting"] = _sampling("Generate a greeting")
    return _asking("asked", **questions)


def test_input_required_result_prompt(ctx: Call) -> Reply:
    """Ask what to prompt with."""
    said = _said(ctx, "user_context")
    question = _question("What context should the prompt use?", context="string")
    return f"Use {said}." if said else _asking(user_context=question)


def add_asking(server: MCPServer[App]) -> None:
    """Add the fixtures that ask."""
    for tool in (
        test_sampling,
        test_missing_capability,
        test_elicitation,
        test_streaming_elicitation,
        test_elicitation_sep1034_defaults,
        test_elicitation_sep1330_enums,
        test_input_required_result_elicitation,
        test_input_required_result_sampling,
        test_input_required_result_list_roots,
        test_input_required_result_request_state,
        test_input_required_result_multiple_inputs,
        test_input_required_result_multi_round,
        test_input_required_result_tampered_state,
        test_input_required_result_capabilities,
    ):
        server.add_tool(tool, structured_output=False)
    server.prompt()(test_input_required_result_prompt)
