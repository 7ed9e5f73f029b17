"""A stored panel as the review page fetches it: in two parts, and so that it compresses. No number of it changes.

The first part has waveform, STFT and the first relevance map: what is drawn at once. The second has the other maps. A
float tensor NAME goes as `NAME:planes` (itemsize, ...), uint8: the first bytes of all numbers, then the second bytes,
and so on. The bytes that hold the sign and the exponent are much alike, and lie together now.
"""

from labelapp.catalogue.panels import Stored, packed, unpacked

BYTES = {"F32": 4, "F64": 8}


def first_part(content: bytes) -> bytes:
    """All of a panel but its relevance maps after the first. Raises Refused for bytes that are no panel."""
    tensors, facts = unpacked(content)
    if "relevance" in tensors:
        tensors["relevance"] = _maps(tensors["relevance"], slice(0, 1))
    return packed(_in_planes(tensors), facts)


def other_maps(content: bytes) -> bytes:
    """The relevance maps after the first; no facts. Raises Refused for bytes that are no panel."""
    tensors, _ = unpacked(content)
    found = {"relevance": _maps(tensors["relevance"], slice(1, None))} if "relevance" in tensors else {}
    return packed(_in_planes(found), {})


def _maps(tensor: Stored, which: slice) -> Stored:
    """Some of the matrices along the first axis."""
    (entry, content), shape = tensor, tensor[0]["shape"]
    size = len(content) // shape[0] if shape[0] else 0
    start, end, _ = which.indices(shape[0])
    return {**entry, "shape": [end - start, *shape[1:]]}, content[start * size : end * size]


def _in_planes(tensors: dict[str, Stored]) -> dict[str, Stored]:
    planes = {}
    for name, (entry, content) in tensors.items():
        size = BYTES.get(entry["dtype"], 0)
        if size:
            entry = {"dtype": "U8", "shape": [size, *entry["shape"]]}
            planes[f"{name}:planes"] = (entry, b"".join(content[byte::size] for byte in range(size)))
        else:
            planes[name] = (entry, content)
    return planes
