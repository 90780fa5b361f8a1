"""Log probabilities of an answer's tokens: the forms of Gemini and Cohere, and the neutral one, which OpenAI and Ollama share.

Neutral: a list of `{"token", "logprob", "bytes", "top_logprobs": [{"token", "logprob", "bytes"}]}`, one for each token.
"""

from __future__ import annotations

from conduit_desktop.core.chat import Json


def from_openai(logprobs: Json) -> list[Json]:
    """The tokens of a choice's `logprobs`. https://platform.openai.com/docs/api-reference/chat/object"""
    return neutral(logprobs.get("content") if isinstance(logprobs, dict) else None)


def neutral(tokens: Json) -> list[Json]:
    """The well-formed tokens of a list in the neutral form, with every field of it, which clients of OpenAI require."""
    whole = [
        (one, _named(one.get("token"), one.get("logprob"), one.get("bytes"))) for one in _list(tokens) if isinstance(one, dict)
    ]
    others = [
        [made for other in _list(one.get("top_logprobs")) if isinstance(other, dict)
         and (made := _named(other.get("token"), other.get("logprob"), other.get("bytes")))]
        for one, _ in whole
    ]  # fmt: skip
    return [{**made, "top_logprobs": more} for (_, made), more in zip(whole, others, strict=True) if made]


def to_openai(tokens: list[Json] | None) -> Json:
    """A choice's `logprobs`."""
    return {"content": tokens, "refusal": None} if tokens else None


def from_gemini(result: Json) -> list[Json]:
    """The tokens of a candidate's `logprobsResult`. https://ai.google.dev/api/generate-content#LogprobsResult"""
    if not isinstance(result, dict):
        return []
    chosen, top = _list(result.get("chosenCandidates")), _list(result.get("topCandidates"))
    others = [_list(one.get("candidates")) if isinstance(one, dict) else [] for one in top]
    others += [[]] * (len(chosen) - len(others))
    return neutral(
        [
            {**_token(one), "top_logprobs": [_token(other) for other in others[at] if isinstance(other, dict)]}
            for at, one in enumerate(chosen)
            if isinstance(one, dict)
        ]
    )


def to_gemini(tokens: list[Json] | None) -> dict[str, Json]:
    """`logprobsResult`, as a field of a candidate; empty where there are no tokens."""
    if not tokens:
        return {}
    others = [[other for other in _list(one.get("top_logprobs")) if isinstance(other, dict)] for one in tokens]
    result = {
        "chosenCandidates": [_candidate(one) for one in tokens],
        "topCandidates": [{"candidates": [_candidate(other) for other in each]} for each in others],
    }
    return {"logprobsResult": result}


def from_cohere(items: Json) -> list[Json]:
    """The tokens of `logprobs`; an item of several tokens is one text here, whose probability is the product of theirs.

    https://docs.cohere.com/v2/reference/chat
    """
    found: list[Json] = []
    for item in _list(items):
        numbers = [one for one in _list(item.get("logprobs")) if isinstance(one, int | float)] if isinstance(item, dict) else []
        if numbers:
            found.append({**_named(str(item.get("text") or ""), sum(numbers), None), "top_logprobs": []})
    return found


def to_cohere(tokens: list[Json] | None) -> dict[str, Json]:
    """`logprobs`, as a field of the answer; empty where there are no tokens. Other vendors report no ids of tokens."""
    items = [{"text": one.get("token"), "token_ids": [], "logprobs": [one.get("logprob")]} for one in tokens or ()]
    return {"logprobs": items} if items else {}


def _token(candidate: dict[str, Json]) -> dict[str, Json]:
    return {"token": candidate.get("token"), "logprob": candidate.get("logProbability")}


def _named(token: Json, logprob: Json, spelled: Json) -> dict[str, Json]:
    """One token; empty where it is none."""
    if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return {}
    known = isinstance(spelled, list) and all(type(one) is int and 0 <= one < 256 for one in spelled)
    return {"token": token, "logprob": logprob, "bytes": spelled if known else list(token.encode("utf-8", "surrogatepass"))}


def _candidate(token: dict[str, Json]) -> dict[str, Json]:
    return {"token": token.get("token"), "logProbability": token.get("logprob")}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
