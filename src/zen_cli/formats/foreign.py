"""Files and values of other programs that zen does not read: what each is, and what to do.

`file_kind` looks at the first bytes of a file, `text_kind` at lines that no format recognises.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .literal import is_python_literal

HEAD = 4096  # bytes that `file_kind` looks at

_UNPACK = "unpack it first"
_DRAWING = "give the spec of the network instead"
_WEIGHTS = "which holds weights; give the spec of the network, or the record that it came from"
_ONNX = rb"\x08[\x01-\x20][\x12\x1a\x22\x28\x32\x3a\x42]"
_MAGIC = [
    (rb"PK\x03\x04.{26,400}(?:data\.pkl|FB.\0Z)", f"a PyTorch file, {_WEIGHTS}"),
    (rb"PK\x03\x04", f"a zip archive; {_UNPACK}"),
    (rb"\x80[\x02-\x05]", f"a Python pickle or an old PyTorch checkpoint, {_WEIGHTS}"),
    (_ONNX, "an ONNX model; name its file"),
    (rb".{7}\0\{\"", f"a safetensors file, {_WEIGHTS}"),
    (rb"\x89HDF", f"an HDF5 or Keras file, {_WEIGHTS}"),
    (rb"\x1f\x8b", f"compressed with gzip; {_UNPACK}, for example with gunzip"),
    (rb"BZh[1-9]1AY", f"compressed with bzip2; {_UNPACK}"),
    (rb"\xfd7zXZ\0", f"compressed with xz; {_UNPACK}"),
    (rb"\x28\xb5\x2f\xfd", f"compressed with zstd; {_UNPACK}"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF.{4}WEBP", f"an image; {_DRAWING}"),
    (rb"(?:\s*%%[^\n]*\n)*\s*(?:flowchart|graph) [A-Z]{2}\b", f"a Mermaid chart; {_DRAWING}"),
    (rb"%PDF-", f"a PDF document; {_DRAWING}"),
    (rb"\xff\xfe|\xfe\xff", "text in UTF-16; save it as UTF-8"),
    (rb"\s*(?:<\?xml.{,400})?(?:<!--.{,1000})?<svg\b", f"an SVG drawing; {_DRAWING}"),
    (rb"(?i:\s*<(?:!doctype )?html\b)", "an HTML page; save the data that it links to"),
    (rb"\s*<\?xml", "XML; give a spec in JSON"),
    (rb"#![^\n]*python", "Python source; give the spec of the network in JSON"),
    (
        rb"(?:\s*#[^\n]*\n)*\s*(?:[rbuRBU]?(?:\"\"\"|''')|import \w|from [\w.]+ import|def \w+\(|class \w+[(:]|@\w+\n)",
        "Python source; give the spec of the network in JSON",
    ),
    (rb"(?:\s*#[^\n]*\n)*(?:---[ \n\r]|%YAML)", "YAML; convert it to JSON, for example with yq -o=json"),
    (rb"[^\n]*[\x00-\x08\x0e-\x1a\x1c-\x1f]", "binary data, not text; give a spec, JSON lines or structure strings"),
]
_FILES = [(re.compile(pattern, re.DOTALL), kind) for pattern, kind in _MAGIC]
_YAML_LINE = re.compile(r"(?:- )*[A-Za-z_][\w.-]*:(?: .*)?|- .*|---.*")
_CSV_LINE = re.compile(r"[\w .-]+(?:,[\w .-]*){2,}")


def file_kind(head: bytes) -> str:
    """What a file is and what to do, from its first bytes, to follow `is`; empty where it may be read."""
    return next((kind for pattern, kind in _FILES if pattern.match(head[:HEAD])), "")


def is_onnx(head: bytes, path: str) -> bool:
    """Whether a file is an ONNX model, or is called one."""
    return re.match(_ONNX, head) is not None or path.endswith(".onnx")


def text_kind(lines: Sequence[str]) -> str:
    """What text is that no format recognises, and what to do, to follow `is`; empty where it may be anything."""
    if len(lines) > 1 and all(map(_YAML_LINE.fullmatch, lines)):
        return "YAML; convert it to JSON, for example with yq -o=json"
    if len(lines) > 1 and all(map(_CSV_LINE.fullmatch, lines)):
        return "a table without architectures; give the JSON lines that it was made from"
    return ""


def document_kind(data: bytes) -> str:
    """What one document is that should be JSON and is not, to follow `is`; empty where it is nothing known."""
    lines = data[:HEAD].decode(errors="replace").splitlines()
    python = "Python, not JSON; write it with json.dumps" if is_python_literal(data) else ""
    return file_kind(data) or python or text_kind([line.strip() for line in lines if line.strip()])
