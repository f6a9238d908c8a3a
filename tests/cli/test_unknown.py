"""What is typed and unknown is told with what there is."""

import subprocess
import sys

import pytest

from affectspace.cli.app import COMMANDS


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


def test_other_faults_of_a_command_line_are_told_as_before():
    typed = [sys.executable, "-m", "affectspace", "doctor", "x"]
    done = subprocess.run(typed, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Unused Tokens" in done.stderr
