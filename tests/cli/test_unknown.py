"""What is typed and unknown is told with what there is."""

import subprocess
import sys

import pytest

from affectspace.cli.app import COMMANDS, app
from affectspace.cli.whole import _whole


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["neighbours"], f"error: there is no command 'neighbours'; legal: {', '.join(COMMANDS)}\n"),
        (["serch"], f"error: there is no command 'serch'; did you mean search? legal: {', '.join(COMMANDS)}\n"),
        (
            ["map", "--colour", "language"],
            "error: affectspace map has no option --colour; see affectspace map --help\n",
        ),
        (
            ["map", "--marker", "language"],
            "error: affectspace map has no option --marker; did you mean --markers? see affectspace map --help\n",
        ),
    ],
)
def test_a_command_or_option_that_there_is_not(typed, told):
    done = subprocess.run([sys.executable, "-m", "affectspace", *typed], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)


@pytest.mark.parametrize("typed", ["1.5", "2.0", "two", ""])
def test_a_number_that_is_not_whole_is_refused_and_never_rounded(run, typed):
    code, out, err = run("study", "study.toml", f"--processes={typed}")
    assert (code, out, err) == (2, "", f"error: --processes is {typed!r}; a whole number is needed")


def test_every_whole_number_of_every_command_is_read_alike():
    """Whole numbers that cyclopts reads by itself are rounded."""
    found = 0
    for name in COMMANDS:
        command = app[name]
        for each in [command, *(command[sub] for sub in command if not sub.startswith("-"))]:
            if each.default_command is not None:
                for argument in each.assemble_argument_collection():
                    if argument.hint in (int, int | None) and argument.parse:
                        assert argument.parameter.converter is _whole, (name, argument.name)
                        found += 1
    assert found > 10


def test_other_faults_of_a_command_line_are_told_as_before():
    typed = [sys.executable, "-m", "affectspace", "doctor", "x"]
    done = subprocess.run(typed, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Unused Tokens" in done.stderr
