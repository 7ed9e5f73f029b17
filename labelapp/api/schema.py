"""What the OpenAPI schema says beyond what drf-spectacular finds by itself: the refusals."""

from typing import Any

REFUSAL = {
    "type": "object",
    "properties": {
        "detail": {"type": "string", "description": "What was found, what was expected, what to do."},
        "code": {"type": "string", "description": "The kind of refusal, for programs."},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "description": "What is wrong with each field or parameter.",
        },
        "theirs": {"type": "object", "description": "The decision of whoever was first, a row of the ledger."},
    },
    "required": ["detail", "code"],
}
REASONS = {
    "400": "A field or parameter cannot be used.",
    "401": "Nobody is signed in.",
    "403": "The role is missing, or the CSRF token.",
    "404": "There is no such row.",
    "406": "No format that the request accepts.",
    "409": "It contradicts how things stand: decided, held, ended.",
    "413": "The body is too large.",
    "415": "The body is no JSON.",
    "429": "Asked too often.",
    "503": "The database did not answer in time.",
}
# What reading cannot run into.
WRITING_ONLY = {"413", "415"}


def add_refusals(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular: every operation may refuse, always in the same shape."""
    result["components"]["schemas"]["Refusal"] = REFUSAL
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    for path in result["paths"].values():
        for method, operation in path.items():
            for status, words in REASONS.items():
                if method != "get" or status not in WRITING_ONLY:
                    operation["responses"].setdefault(status, {"description": words, "content": content})
    return result
