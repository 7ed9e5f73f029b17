"""Stored panels as bytes: what is taken out of one before it goes to somebody who must not know the machine's opinion.

A panel is a safetensors file: eight bytes with the length of the header, the header (JSON), the tensors' bytes. Its
contents are mlcore's; here only the header is read, so that the web process needs no numpy.
"""

import json
from typing import Any

from labelapp.catalogue.errors import Refused

# What was recorded, and how it was prepared. All else in a panel tells of the model.
TENSORS = ("waveform", "stft", "mask", "frequencies_hz", "times_s")
FACTS = (
    "station",
    "components",
    "starttime",
    "sampling_rate_hz",
    "window_s",
    "band_hz",
    "input",
    "unit",
    "recorded_unit",
    "scale",
    "event_start",
    "event_end",
    "problems",
)
# What a panel without maps says of them.
NOTHING: dict[str, Any] = {"targets": [], "explanations": [], "difference": None}


# A tensor as it lies in a file: {"dtype", "shape"}, and its bytes.
Stored = tuple[dict[str, Any], bytes]


def without_relevance(content: bytes) -> bytes:
    """A panel with the waveform, the STFT and their axes only, as a safetensors file.

    Raises Refused for bytes that are no panel.
    """
    tensors, facts = unpacked(content)
    kept = {name: facts[name] for name in FACTS if name in facts}
    return packed({name: tensors[name] for name in TENSORS if name in tensors}, {**kept, **NOTHING})


def unpacked(content: bytes) -> tuple[dict[str, Stored], dict[str, Any]]:
    """A panel's tensors by name, and its facts. Raises Refused for bytes that are no panel."""
    try:
        length = int.from_bytes(content[:8], "little")
        header, body = json.loads(content[8 : 8 + length]), content[8 + length :]
        facts = dict(json.loads(header.pop("__metadata__")["panel"]))
        return {name: _tensor(entry, body) for name, entry in header.items()}, facts
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refused(f"This is no panel: {error!r}. Classify the event again.") from error


def packed(tensors: dict[str, Stored], facts: dict[str, Any]) -> bytes:
    """Tensors and facts as a panel, the largest tensor first."""
    header: dict[str, Any] = {"__metadata__": {"panel": json.dumps(facts, ensure_ascii=False)}}
    contents = []
    begin = 0
    for name, (entry, content) in sorted(tensors.items(), key=lambda named: -len(named[1][1])):
        header[name] = {**entry, "data_offsets": [begin, begin + len(content)]}
        contents.append(content)
        begin += len(content)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight
    return b"".join([len(text).to_bytes(8, "little"), text, *contents])


def _tensor(entry: dict[str, Any], body: bytes) -> Stored:
    begin, end = entry["data_offsets"]
    if not 0 <= begin <= end <= len(body):
        raise ValueError(f"a tensor lies at {begin} to {end} of {len(body)} bytes")
    return {"dtype": entry["dtype"], "shape": entry["shape"]}, body[begin:end]
