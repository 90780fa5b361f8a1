"""Writes a chat request as the input of a prediction. The names of inputs differ by model; each model's page lists them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conduit_desktop.core.chat import ChatRequest, Json, Media, Message, Refusal, Text, Thinking, ToolCall, ToolResult
from conduit_desktop.wire import WrittenRequest
from conduit_desktop.wire.values import standard_media

NAME = "replicate"
_ROLES = {"user": "User", "assistant": "Assistant", "tool": "Tool"}
_UNSUPPORTED = (
    "tools", "tool_choice", "parallel_tool_calls", "n", "logprobs", "top_logprobs", "output", "reasoning", "user", "metadata",
    "service_tier",
)  # fmt: skip
_OPENAI_NAMES = {"output": "response_format"}


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """The names of a family's inputs; an empty name: it has no such input."""

    system: str = "system_prompt"
    max_tokens: str = "max_tokens"
    stop: str = "stop_sequences"
    images: str = "image"
    several_images: bool = False
    plain: tuple[str, ...] = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")


_OPEN = ModelInputs()
"""Models that run on Replicate's own engine (Llama, DeepSeek, Granite, Qwen)."""
_BY_OWNER = {
    "openai": ModelInputs(
        max_tokens="max_completion_tokens", stop="", images="image_input", several_images=True,
        plain=("temperature", "top_p", "presence_penalty", "frequency_penalty"),
    ),
    "anthropic": ModelInputs(stop="", plain=()),
    "google": ModelInputs(
        system="system_instruction", max_tokens="max_output_tokens", stop="", images="images", several_images=True,
        plain=("temperature", "top_p"),
    ),
}  # fmt: skip


def inputs_of(model: str) -> ModelInputs:
    """The names of the inputs of `owner/name`."""
    return _BY_OWNER.get(model.partition("/")[0].lower(), _OPEN)


def write_request(request: ChatRequest, model: str) -> WrittenRequest:
    """`{"input": {…}}` for `model`, with `stream` where the request is streamed."""
    known = inputs_of(model)
    out = WrittenRequest({"input": {}})
    given = out.body["input"]
    system = "\n\n".join(filter(None, (_text(m, out.dropped) for m in request.messages if m.role in ("system", "developer"))))
    turns = [message for message in request.messages if message.role in _ROLES]
    _put(given, out.dropped, "prompt", _prompt(turns, out.dropped))
    _put(given, out.dropped, known.system, system or None, "messages.system")
    _put(given, out.dropped, known.max_tokens, request.max_tokens, "max_tokens")
    # `stop_sequences` is one string, with commas between the texts.
    _put(given, out.dropped, known.stop, ",".join(request.stop) if request.stop else None, "stop")
    _write_images(given, known, turns, out.dropped)
    for name in _OPEN.plain:
        _put(given, out.dropped, name if name in known.plain else "", getattr(request, name), name)
    out.dropped += [_OPENAI_NAMES.get(name, name) for name in _UNSUPPORTED if _is_set(request, name)]
    out.dropped += request.extra if request.dialect != NAME else ()
    given |= request.extra if request.dialect == NAME else {}
    if request.stream:
        out.body["stream"] = True
    out.dropped = list(dict.fromkeys(out.dropped))
    return out


def _put(given: dict[str, Json], dropped: list[str], name: str, value: Json, dropped_name: str = "") -> None:
    if value is None:
        return
    if name:
        given[name] = value
    else:
        dropped.append(dropped_name)


def _is_set(request: ChatRequest, name: str) -> bool:
    value = getattr(request, name)
    if name == "output":
        return value is not None and value.kind != "text"
    return value is not None and value != []


def _prompt(turns: list[Message], dropped: list[str]) -> str:
    """One question unchanged; a conversation as a transcript that the model is to continue."""
    if len(turns) == 1 and turns[0].role == "user":
        return _text(turns[0], dropped)
    transcript = [f"{_ROLES[turn.role]}: {_text(turn, dropped)}" for turn in turns]
    # Replicate's models take one prompt, so the open last turn shows the model that it is to answer.
    return "\n\n".join([*transcript, "Assistant:"])


def _text(message: Message, dropped: list[str]) -> str:
    return "\n".join(text for text in _texts(message, dropped) if text)


def _texts(message: Message, dropped: list[str]) -> Iterator[str]:
    for part in message.parts:
        match part:
            case Text() | Refusal():
                yield part.text
            case ToolCall():
                # Predictions have no tools: without a trace of the call its result would make no sense to the model.
                yield f"[called {part.name} with {part.arguments}]"
            case ToolResult():
                yield "\n".join(inner.text for inner in part.parts if isinstance(inner, Text))
            case Media(kind="image") | Thinking():
                pass  # images have an input of their own; thoughts are not sent back
            case Media(text=str(text)):
                yield text
            case Media():
                dropped.append(f"messages.{part.kind}")
            case _:
                dropped.append("messages.content")


def _write_images(given: dict[str, Json], known: ModelInputs, turns: list[Message], dropped: list[str]) -> None:
    images = [part for turn in turns for part in turn.parts if isinstance(part, Media) and part.kind == "image"]
    urls = [url for image in images if (url := _url(image))]
    # A model with a single image input gets the last image.
    if len(urls) < len(images) or (len(urls) > 1 and not known.several_images):
        dropped.append("messages.image")
    if urls:
        given[known.images] = urls if known.several_images else urls[-1]


def _url(image: Media) -> str | None:
    image = standard_media(image)
    return image.url if image.data is None else f"data:{image.media_type or 'image/png'};base64,{image.data}"
