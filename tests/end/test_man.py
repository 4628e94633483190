"""The manual pages, as man shows them."""

import re
import shutil
import subprocess

import pytest

from process import PATIENCE
from server import run

PAGES = ["empusa", "empusa-serve"]
NAME = r"\bEMPUSA_[A-Z_]+\b|\bREQUESTS_CA_BUNDLE\b|(?<![\w-])--[a-z][a-z-]*[a-z]"


@pytest.fixture(scope="module", params=PAGES)
def page(request, tmp_path_factory):
    if not shutil.which("man"):
        pytest.skip("no man here")
    path = tmp_path_factory.mktemp("man") / f"{request.param}.{'8' if 'serve' in request.param else '1'}"
    path.write_text(run("man", request.param).out)

    def show(width):
        env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MANWIDTH": str(width)}
        return subprocess.run(["man", "-E", "UTF-8", "-l", path], env=env, capture_output=True, text=True, check=True,
                              stdin=subprocess.DEVNULL, timeout=60 * PATIENCE).stdout
    return show


@pytest.mark.parametrize("width", [60, 63, 66, 70, 75, 78, 80, 84, 90, 100])
def test_no_name_is_broken_at_a_line_end(page, width):
    whole, shown = (re.findall(NAME, page(columns)) for columns in (1000, width))
    assert len(whole) > 20 and shown == whole
