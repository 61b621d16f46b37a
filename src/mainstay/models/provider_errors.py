"""What a provider's failure means for whoever asked."""

from __future__ import annotations

import json
from datetime import timedelta
from http import HTTPStatus

import httpx2
from pydantic import ValidationError
from pydantic_ai import exceptions as raised

from mainstay.schemas.errors import InvalidInput, MainstayError, Refused, Unavailable

PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
NOT_LET_IN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN})

MAX_SAID_CHARS = 300
MAX_WAIT = timedelta(days=1)
"""Longest wait that a provider can ask for."""


def explain(error: Exception, model: str) -> MainstayError | None:
    """Return the error of ours that a failure amounts to; None when it is nobody's but our own."""
    if isinstance(error, MainstayError):
        return error
    if isinstance(error, raised.ModelAPIError):
        return _from_provider(error, model)
    if isinstance(error, raised.ContentFilterError):
        return Refused(f"model {model!r} refused to answer: {error}", hint="change the request")
    if isinstance(error, raised.UserError):
        return InvalidInput(
            f"model {model!r}: {error}", hint="change the agent's model or settings"
        )
    if isinstance(error, raised.UnexpectedModelBehavior | json.JSONDecodeError | ValidationError):
        said = _shorten(str(error))
        return _passing(f"model {model!r} sent what cannot be understood: {said}")
    if isinstance(error, httpx2.HTTPError | httpx2.StreamError | OSError | EOFError):
        return _passing(f"model {model!r}: {_shorten(str(error)) or type(error).__name__}")
    return None


def _from_provider(error: raised.ModelAPIError, model: str) -> MainstayError:
    status = error.status_code if isinstance(error, raised.ModelHTTPError) else 0
    said = _said(error)
    what = f"model {model!r} answered {status}: {said}" if status else f"model {model!r}: {said}"
    if isinstance(error, raised.ModelContextWindowExceededError):
        return InvalidInput(
            f"the conversation is too long for model {model!r}: {said}",
            hint="lower context.tokens of the agent, or use a model with a larger window",
        )
    if isinstance(error, raised.ModelNotFoundError) or status == HTTPStatus.NOT_FOUND:
        guess = error.suggested_model_id if isinstance(error, raised.ModelHTTPError) else None
        hint = f"did you mean {guess!r}?" if guess else "check the model's name and its address"
        return InvalidInput(what, hint=hint)
    if isinstance(error, raised.ModelAuthenticationError) or status in NOT_LET_IN:
        return Refused(what, hint="check the provider's key, and what it may do")
    if isinstance(error, raised.ModelQuotaExceededError):
        return Refused(what, hint="the account's credit is used up: see to it at the provider")
    if _is_filtered(error):
        return Refused(what, hint="the provider's content filter objects: change the request")
    if status and status not in PASSING and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return InvalidInput(what, hint="change the agent's settings, tools or output schema")
    if isinstance(error, raised.ModelRequestRejectedError):
        return InvalidInput(what, hint="change the agent's settings, tools or output schema")
    return _passing(what, error.retry_after)


def _passing(message: str, retry_after: float | None = None) -> Unavailable:
    error = Unavailable(message, hint="it is tried again; the provider may be well again later")
    if retry_after is not None:
        error.retry_after = min(timedelta(seconds=min(retry_after, 1e9)), MAX_WAIT)
    return error


def _is_filtered(error: raised.ModelAPIError) -> bool:
    names = (error.provider_error_code or "", error.provider_error_type or "")
    return any("content_filter" in name or "content_policy" in name for name in names)


def _said(error: raised.ModelAPIError) -> str:
    """Return the provider's own words, where it sent any."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        said = inner.get("message") if isinstance(inner, dict) else inner
        if isinstance(said, str) and said:
            return _shorten(said)
    if isinstance(body, str) and body.strip():
        return _shorten(body.strip())
    if isinstance(error, raised.ModelHTTPError) and body is None:
        return HTTPStatus(error.status_code).phrase if error.status_code in set(HTTPStatus) else ""
    cause = error.__cause__
    reason = cause.__cause__ if cause is not None and cause.__cause__ is not None else cause
    detail = f" ({reason})" if reason is not None and str(reason) not in error.message else ""
    return _shorten(error.message + detail)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_SAID_CHARS else text[: MAX_SAID_CHARS - 1] + "…"
