"""The README's examples, for the tests that run them."""

import pathlib
import re

TEXT = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SERVER, PORT = "10.0.0.7", 53  # where the README says the server is


def block(opening):
    """The fenced block behind the paragraph that begins with `opening`."""
    found = re.search(rf"^{re.escape(opening)}[^\n]*\n(?:[^\n]+\n)*\n```\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"the README has no block behind {opening!r}"
    return found.group(1)


def moved(text, port, separator):
    """An example as it is for a server on a port of 127.0.0.1."""
    before = f"{SERVER}{separator}{PORT}"
    assert before in text, f"no {before} in\n{text}"
    return text.replace(before, f"127.0.0.1{separator}{port}")


def inline(opening):
    """The text between backquotes that begins with `opening`."""
    found = re.search(rf"`({re.escape(opening)}[^`]*)`", TEXT)
    assert found, f"the README has no `{opening}...`"
    return found.group(1)
