"""The reason of a provider's error, from its code, its status and its text, in this order.

The patterns come from the vendors' documented errors and from recorded answers.
"""

from __future__ import annotations

import re

from conduit_desktop.core.errors import Reason, classify_status

_BY_CODE: dict[str, Reason] = {
    "context_length_exceeded": "context_length",
    "context_window_exceeded": "context_length",
    "string_above_max_length": "context_length",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "data_inspection_failed": "content_filter",
    "content_policy_violation": "content_filter",
    "responsibleaipolicyviolation": "content_filter",
    "moderation_blocked": "content_filter",
    "insufficient_quota": "money",
    "billing_hard_limit_reached": "money",
    "billing_not_active": "money",
    "billing_error": "money",
    "insufficient_credits": "money",
    "insufficient_balance": "money",
    "invalid_api_key": "auth",
    "authentication_error": "auth",
    "api_key_invalid": "auth",
    "unauthenticated": "auth",
    "permission_error": "permission",
    "permission_denied": "permission",
    "model_not_found": "model_not_found",
    "deploymentnotfound": "model_not_found",
    "model_not_available": "model_not_found",
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "resource_exhausted": "rate_limit",
    "overloaded_error": "overloaded",
    "engine_overloaded": "overloaded",
    "service_tier_capacity_exceeded": "overloaded",
    "exceeded_current_quota_error": "money",
    "insufficient_balance_error": "money",
    "tokens_limit_reached": "context_length",
    "exceed_context_size_error": "context_length",
    "request_too_large": "too_large",
}

_CONTEXT = re.compile(
    r"context[_ -]?(length|window|size)|maximum (prompt|input|context)"
    r"|(prompt|input|request|messages?) (is|are|was) too (long|large)"
    r"|too many (input )?tokens|tokens? (limit )?exceed|exceed\w* (the )?(model'?s )?(max\w* )?(input |context |number of )?tokens"
    r"|input length|length too long|reduce the length|longer than the (model|maximum)|exceeds? the available context"
    r"|prompt exceeds max|exceeded model token limit|max_new_tokens` must be|max(imum)? allowed tokens"
    r"|`inputs` must have less than",
    re.IGNORECASE,
)
_CAP = re.compile(r"maximum value for `max_(completion_)?tokens`", re.IGNORECASE)
"""An output cap over the model's own, where a vendor names the context too (Groq): a shorter conversation would not help."""
_CONVERSATION = re.compile(r"messages|input|prompt|contents|instructions|system")
"""The fields that hold the conversation, at the beginning of an error's path."""

_FILTER = re.compile(
    r"content[_ ]?(management )?(filter|policy)|ResponsibleAIPolicyViolation|safety system|flagged (as|by|for)|moderation"
    r"|content (was )?(blocked|filtered)|data_inspection_failed|inappropriate content|flagged_input"
    r"|violat\w+ .{0,20}usage (guideline|polic)|content exists risk",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"insufficient[_ ](balance|credits?|funds|quota)|(credit|account) balance|billing[_ ](hard[_ ])?(limit|not)|payment required"
    r"|out of credits|(any|available) credits|exceeded your (monthly|included) |spending limit|more credits|purchase credits"
    r"|key limit exceeded|payment[_ ]instrument|limit for this billing cycle",
    re.IGNORECASE,
)
_AUTH = re.compile(
    r"(invalid|incorrect|wrong|missing|expired|no) (api|access|auth\w*)[ _-]?(key|token)"
    r"|api key .{0,20}(not valid|invalid|expired|leaked|revoked)|API_KEY_INVALID|unauthorized"
    r"|organization has been (disabled|restricted)",
    re.IGNORECASE,
)
_MODEL = re.compile(
    r"model\S{0,120} .{0,80}(does not exist|not found|is not (available|supported|a valid)|has been (deprecated|decommissioned))"
    r"|(unknown|invalid|no such|unsupported) model|not a valid model|model not exist|specified version does not exist",
    re.IGNORECASE,
)
_OVERLOADED = re.compile(
    r"overloaded|at capacity|currently unavailable|no healthy upstream|capacity (temporarily )?exceeded|system capacity"
    r"|(high|heavy) (traffic|demand)|model (is )?busy",
    re.IGNORECASE,
)
_IN_FLIGHT = re.compile(r"in_flight_budget", re.IGNORECASE)
"""OpenRouter's 402 for concurrent requests that together exceed the credits: https://openrouter.ai/docs/api_reference/errors-and-debugging"""
_UNREADABLE = re.compile(r"(image|audio|video) input is not supported", re.IGNORECASE)
"""llama.cpp (b11549) answers 500 where a model without a projector gets a picture: the request is at fault, not the server."""
_RATE = re.compile(r"rate[ _-]?limit|too many requests|tokens per minute|requests per minute", re.IGNORECASE)

_BY_TEXT: dict[int, tuple[tuple[re.Pattern[str], Reason], ...]] = {
    400: (
        (_MONEY, "money"),
        (_AUTH, "auth"),
        (_CONTEXT, "context_length"),
        (_FILTER, "content_filter"),
        (_MODEL, "model_not_found"),
    ),
    # A 402 means money by its status alone. The exception clears up by itself, so another attempt helps.
    402: ((_IN_FLIGHT, "rate_limit"),),
    403: (
        (_FILTER, "content_filter"),
        (_MONEY, "money"),
        (_AUTH, "auth"),
        (_CONTEXT, "context_length"),
        (_RATE, "rate_limit"),
    ),
    412: ((_MONEY, "money"),),
    # Groq answers 413 for a prompt over its tokens a minute, with code `rate_limit_exceeded`. HunorLaczko/ha-groq-cloud-api#27
    413: ((_RATE, "rate_limit"), (_CONTEXT, "context_length")),
    429: ((_MONEY, "money"), (_OVERLOADED, "overloaded")),
    500: ((_UNREADABLE, "bad_request"), (_CONTEXT, "context_length"), (_OVERLOADED, "overloaded"), (_RATE, "rate_limit")),
}


STATUS_OF: dict[Reason, int] = {
    "context_length": 400, "content_filter": 400, "auth": 401, "money": 402, "permission": 403, "model_not_found": 404,
    "rate_limit": 429, "overloaded": 503,
}  # fmt: skip
"""The status of an error that came after a success status; every other reason is 500."""


SEARCHED = 8_192
"""Characters of an error that are searched: its cause is at the beginning, and some vendors quote the whole prompt after it."""


def classify(status: int, kind: str | None, text: str, param: str | None = None) -> Reason:
    """The reason of an error with `status`: `kind` is the vendor's code or type, `text` its whole text, `param` the wrong field."""
    # OpenAI's code for any text that is too long: a tool's description, `user`. Only the conversation can be shortened.
    if kind == "string_above_max_length" and param and not _CONVERSATION.match(param):
        return "bad_request"
    # A code is unambiguous; texts change, and may quote the caller's prompt.
    known = _BY_CODE.get(kind.lower()) if kind else None
    if known is not None:
        return known
    # Vendors disagree on the status of an invalid request, so 409 and 422 are searched for the same causes.
    row = 400 if status in (400, 409, 422) else 500 if status >= 500 else status
    for pattern, reason in _BY_TEXT.get(row, ()):
        if pattern.search(text, 0, SEARCHED) and not (pattern is _CONTEXT and _CAP.search(text, 0, SEARCHED)):
            return reason
    return "bad_request" if status == 409 else classify_status(status)
