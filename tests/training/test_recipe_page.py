"""The page on recipes has every section and key with its default, and nothing else."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from affectspace.training.recipe import Recipe
from affectspace.training.recipe_data import Augment, CorpusEntry, Labels, Views
from affectspace.training.recipe_encoder import Encoder, Lora
from affectspace.training.recipe_features import Features, Normalise
from affectspace.training.recipe_modalities import Balance, ModalityEntry, Unlabelled
from affectspace.training.recipe_protocol import Inner, Protocol
from affectspace.training.recipe_training import Monitor, Training

PAGE = (Path(__file__).parents[2] / "docs/recipes.md").read_text(encoding="utf-8")
SECTIONS = {
    "The recipe itself": Recipe,
    "`[[corpora]]`": CorpusEntry,
    "`[features.normalise]`": Normalise,
    "`[modalities.NAME]`": ModalityEntry,
    "`[unlabelled]`": Unlabelled,
    "`[unlabelled.balance]`": Balance,
    "`[augment]`": Augment,
    "`[views]`": Views,
    "`[protocol.inner]`": Inner,
    "`[encoder.lora]`": Lora,
    "`[training]`": Training,
    "`[monitor]`": Monitor,
}
ELSEWHERE = {
    "features", "modalities", "normalise", "augment", "views", "encoder", "lora", "terms", "training", "monitor",
}  # fmt: skip
Net = ModalityEntry.model_fields["net"].annotation
SEVERAL = [*(get_args(several)[0] for several in (Labels, Features, Protocol)), Net]
KINDS = [section for several in SEVERAL for section in get_args(several)]
NETS = get_args(get_args(Encoder)[0])


def kind_of(section) -> str:
    return get_args(section.model_fields["kind"].annotation)[0]


def tables() -> dict[str, dict[str, str]]:
    """The keys of each heading's table, and what is said of them; a default stands behind its key.

    A heading below that of encoders is led by it, as features and encoders may be of one kind.
    """
    before, encoders, behind = re.split(r"^(?=## `\[(?:encoder|training)\]`)", PAGE, flags=re.M)
    page = before + re.sub(r"^### (?=`kind)", "### encoder, ", encoders, flags=re.M) + behind
    parts = re.split(r"^#+ (.*)\n", page, flags=re.M)[1:]
    rows = {
        heading: re.findall(r"^\| `(.*?)` \| (.*) \|$", text, re.M) for heading, text in zip(parts[::2], parts[1::2])
    }
    assert all(len(dict(found)) == len(found) for found in rows.values())
    return {heading: dict(found) for heading, found in rows.items() if found}


ALL = [
    *SECTIONS.items(),
    *((f'`kind = "{kind_of(section)}"`', section) for section in KINDS),
    *((f'encoder, `kind = "{kind_of(section)}"`', section) for section in NETS),
]


@pytest.mark.parametrize(("heading", "section"), ALL, ids=[heading for heading, _ in ALL])
def test_the_page_has_every_key_with_its_default(heading, section):
    fields = {key: field for key, field in section.model_fields.items() if key != "kind"}
    told = tables()[heading]
    assert [key.partition(" ")[0] for key in told] == list(fields)
    for (shown, says), (name, field) in zip(told.items(), fields.items()):
        assert says.startswith("needed") == field.is_required(), name
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if "=" in shown:
            value = tomllib.loads(shown)[name]
            assert value == (list(default) if isinstance(default, tuple) else default), name
            assert type(value) is type(default) or isinstance(default, tuple), name
        else:  # not set, a section with a table of its own, or the terms, which have a page
            assert default is None or name in ELSEWHERE, name


def test_the_page_has_no_other_section():
    assert set(tables()) == {heading for heading, _ in ALL}
