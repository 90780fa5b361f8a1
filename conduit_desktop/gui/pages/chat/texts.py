"""What the chat says under an answer, and in place of one."""

from __future__ import annotations

from dataclasses import dataclass

from conduit_desktop.core.errors import BudgetExceeded, GatewayError
from conduit_desktop.core.events import Usage
from conduit_desktop.core.money import show_usd
from conduit_desktop.core.records import RequestRecord


@dataclass(frozen=True, slots=True)
class ChatError:
    """An error for a reader. `page` is where to mend it, with `label` on the button; both empty where nowhere."""

    title: str
    text: str
    advice: str
    label: str = ""
    page: str = ""


_ADVICE: dict[int, tuple[str, str, str, str]] = {
    400: ("The request does not fit", "Change the question or the parameters and send again.", "", ""),
    401: (
        "The key was not accepted",
        "Choose another key, or check that this one is enabled and not expired.",
        "Virtual keys",
        "keys",
    ),
    402: ("The budget has no room", "Raise the key's budget, reset its spend, or choose another key.", "Virtual keys", "keys"),
    403: ("Not allowed", "Allow the model for this key, or choose another key or model.", "Virtual keys", "keys"),
    404: ("No such model", "Choose a model from the list, or make an alias of that name.", "Models", "models"),
    413: ("The request is too large", "Send smaller pictures, or raise the largest request in Settings.", "Settings", "settings"),
    429: ("Too many requests", "Wait a moment and regenerate, or add another key or target.", "", ""),
    502: (
        "No provider could answer",
        "Test the providers it names: their key, address or account may need care.",
        "Providers",
        "providers",
    ),
    503: (
        "No healthy target",
        "Every target of this model is disabled or resting. Enable one, or add another.",
        "Providers",
        "providers",
    ),
    504: ("The provider took too long", "Regenerate, or give the model more time until its first token.", "Models", "models"),
}


def trouble(error: GatewayError, begun: bool = False) -> ChatError:
    """An error in words, with what to do. `begun`: words had come already, so the status was sent as a success."""
    if begun and error.code != BudgetExceeded.code:
        advice = "What came is not the whole answer. Regenerate to ask again."
        return ChatError("The answer broke off", error.message, advice)
    status = BudgetExceeded.status if error.code == BudgetExceeded.code else error.status
    title, advice, label, page = _ADVICE.get(status, ("Something went wrong", "Try again; the log says more.", "", ""))
    if error.retry_after:
        advice = f"Free again in {error.retry_after:,.0f} s. {advice}"
    return ChatError(f"{status} · {title}", error.message, advice, label, page)


def figures(record: RequestRecord) -> str:
    """Tokens, cost, time to the first token and speed: `1,204 in · 356 out · $0.0031 · first token 412 ms · 64 tokens/s`."""
    read = record.input + record.cache_read + record.cache_write + record.audio_in
    made = record.output + record.audio_out
    parts = [f"{read:,} in", f"{made:,} out", _cost(record)]
    if record.first_token_ms is not None:
        parts.append(f"first token {record.first_token_ms:,.0f} ms")
        writing_s = (record.duration_ms - record.first_token_ms) / 1000
        if made and writing_s > 0.001:
            parts.append(f"{made / writing_s:,.0f} tokens/s")
    if record.status == "cancelled":
        parts.insert(0, "Stopped")
    return " · ".join(parts)


def counted(usage: Usage | None) -> str:
    """The tokens alone, where there is no record to tell more."""
    return "" if usage is None else f"{usage.total_input:,} in · {usage.total_output:,} out"


def _cost(record: RequestRecord) -> str:
    if record.cost_nano is None:
        return "cost unknown"
    about = "about " if record.cost_state == "estimated" else ""
    return about + show_usd(record.cost_nano)


def answered_by(record: RequestRecord | None, model: str) -> str:
    """`smart → openai/gpt-4o`, or the model alone."""
    if record is None or not record.provider:
        return model
    target = f"{record.provider}/{record.upstream_model}"
    return target if target == model else f"{model} → {target}"
