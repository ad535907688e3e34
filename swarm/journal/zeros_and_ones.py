"""Lists of zeros and ones in a journal's line, read without the JSON parser, which would make a float of each number.

They are most of a long journal. Only the form in which a run writes them is read here: a line with anything else is
left to the parser, and so is whatever else the line holds. The result is what the parser would have given.
"""

from pydantic_core import from_json

EXAMPLES = b', "examples": {'
NUMBER = len("0.0, ")  # bytes of each number
TO_ZEROS = bytes.maketrans(b"1", b"0")
TO_BITS = bytes.maketrans(b"01", b"\0\1")
MARKED = b"7310254863197"  # that no line holds: where it does, the line is left to the parser
MARK = int(MARKED + b"000000")
MOST = 1_000_000  # marks that begin with MARKED


def read_quickly(line: bytes) -> dict[str, object] | None:
    """A line's JSON, in which each list under `examples` is one byte of 0 or 1 for each number.

    None where the line does not have this form, or is damaged.
    """
    rest, lists = _lifted(line)
    if not lists or len(lists) > MOST or MARKED in line:
        return None
    try:
        content: object = from_json(rest, allow_inf_nan=False)
    except ValueError:
        return None
    examples = content.get("examples") if isinstance(content, dict) else None
    # Each mark once and nothing else: not in a name, nor under another `examples` further in.
    if not (isinstance(content, dict) and isinstance(examples, dict)) or [*examples.values()] != [
        *range(MARK, MARK + len(lists))
    ]:
        return None
    content["examples"] = dict(zip(examples, lists, strict=True))
    return content


def _lifted(line: bytes) -> tuple[bytes, list[bytes]]:
    """A line with MARK + n in place of its n-th list under `examples`, and these lists; none if one is different."""
    parts: list[bytes] = []
    lists: list[bytes] = []
    done, at = 0, line.find(EXAMPLES)
    while at >= 0:
        first = line.find(b"[", at) + 1
        end = line.find(b"]", first)
        found = bits(line[first:end]) if 0 < first < end else b""
        if not found:
            return line, []
        parts += [line[done : first - 1], b"%d" % (MARK + len(lists))]
        lists.append(found)
        done = end + 1
        at = done if line.startswith(b", ", done) else -1
    return b"".join((*parts, line[done:])), lists


def bits(text: bytes) -> bytes:
    """ "1.0, 0.0" as the bytes 1 and 0; nothing where it is anything else."""
    count, left = divmod(len(text) + len(", "), NUMBER)
    if left or text.translate(TO_ZEROS) != (b"0.0, " * count)[:-2] or b"1" in text[2::NUMBER]:
        return b""
    return text[::NUMBER].translate(TO_BITS)
