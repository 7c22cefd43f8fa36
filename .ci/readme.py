"""Prints the fenced blocks of README.md that follow a mark: `python3 .ci/readme.py run` for `<!-- run -->`."""

import re
import sys
from pathlib import Path

mark = " ".join(sys.argv[1:])
text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
blocks = re.findall(rf"<!-- {re.escape(mark)} -->\n```\w*\n(.*?)```", text, re.DOTALL)
if not blocks:
    sys.exit(f"README.md: no block after <!-- {mark} -->")
print("\n".join(blocks), end="")
