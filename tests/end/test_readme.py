"""The README's session, command by command, with what it says they print."""

import os
import pathlib
import re
import subprocess

import pytest

from process import PATIENCE, die_with_parent, wait_until
from server import BINARY

README = pathlib.Path(__file__).parents[2] / "README.md"


def sessions():
    """The ```console blocks: lists of (command, what it prints)."""
    for block in re.findall(r"^```console\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL):
        steps = []
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
        yield steps


@pytest.mark.parametrize("steps", sessions())
def test_the_session_in_the_readme_runs_as_shown(registry, steps):
    assert len(steps) >= 8
    server = registry.serve()
    env = {**registry.env, "PATH": f"{os.path.dirname(BINARY)}:{os.environ['PATH']}"}

    def prints(command):
        done = subprocess.run(["sh", "-c", command.replace("-p 5300", f"-p {server.port}")], env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=30 * PATIENCE, preexec_fn=die_with_parent, check=True)
        return done.stdout.splitlines()

    for command, expected in steps:
        if command.startswith("dig "):  # a change is on its way from etcd for some milliseconds
            wait_until(lambda: prints(command) == expected, what=command)
        else:
            assert prints(command) == expected, command
