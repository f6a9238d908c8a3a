"""Commands as people type them, each in a folder of its own."""

import sys

import pytest

from affectspace.cli.app import main


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """``run("train x.toml")``: exit code, standard output, standard error, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["affectspace", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, " ".join(told.err.split())

    return call
