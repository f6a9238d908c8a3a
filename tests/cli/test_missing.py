"""What is missing on a command line is named as the usage names it."""

import inspect
from importlib import import_module

import pytest
from cyclopts import App

from affectspace.cli.app import COMMANDS


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("predict", "predict needs RUN: affectspace predict RUN [FILES ...]"),
        ("embed", "embed needs RUN: affectspace embed RUN [SOURCES ...]"),
        ("study", "study needs PATH: affectspace study PATH"),
        ("search", "search needs SPACE: affectspace search SPACE --query QUERY"),
        ("search a.parquet", "search needs --query QUERY: affectspace search SPACE --query QUERY"),
        ("search a.parquet --query", "search needs a value behind --query"),
        ("audit alva --split", "audit needs a value behind --split"),
    ],
)
def test_what_is_missing_is_named_as_it_is_typed(run, typed, told):
    assert run(*typed.split()) == (2, "", f"error: affectspace {told}; see affectspace {typed.split()[0]} --help")


def functions():
    """What each command calls, by what is typed; a command may have commands of its own."""
    for name in COMMANDS:
        word = name.replace("-", "_")
        found = getattr(import_module(f"affectspace.cli.{word}"), word)
        if isinstance(found, App):
            yield from ((f"{name} {each}", found[each].default_command) for each in found if not each.startswith("-"))
        else:
            yield name, found


@pytest.mark.parametrize(("command", "function"), [*functions()])
def test_no_command_that_needs_something_speaks_of_options_that_there_are_not(run, command, function):
    needed = [
        parameter.name.upper()
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    if needed:
        told = run(*command.split())[2]
        assert told.startswith(f"error: affectspace {command} needs {needed[0]}: affectspace {command} ")
