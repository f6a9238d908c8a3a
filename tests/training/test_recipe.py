"""A recipe says what is wrong with it in the user's own words, and survives a round trip."""

import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from affectspace.errors import InputError
from affectspace.training.recipe import Recipe, make_recipe
from affectspace.training.recipe_file import dump_recipe, load_recipe
from affectspace.training.schema import Section, sentences

BASE = {
    "name": "base",
    "corpora": [{"path": "emodb"}],
    "labels": {"kind": "classes", "names": ["angry", "sad"]},
    "protocol": {"kind": "leave_one_out", "by": "speaker"},
}


def changed(**values):
    return copy.deepcopy(BASE) | values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"training": {"epcohs": 3}},
            "training: unknown key 'epcohs'; did you mean 'epochs'? legal: epochs, batch_size",
        ),
        ({"epochs": 3}, "unknown key 'epochs'; did you mean 'training.epochs'? legal: name, seed"),
        ({"training": {"epochs": 0}}, "training.epochs is 0; legal: at least 1"),
        (
            {"protocol": {"kind": "leave_on"}},
            "protocol.kind is 'leave_on'; did you mean 'leave_one_out'? legal: cross_corpus",
        ),
        ({"protocol": {"by": "speaker"}}, "protocol.kind is missing"),
        (
            {"protocol": {"kind": "leave_one_out", "within": "session", "validate_groups": 2}},
            'protocol: validate_groups is 2, and within = "session" lets all others of the tested speaker\'s session '
            "validate in place of other groups; leave one of the two out",
        ),
        ({"protocol": {"kind": "cross_corpus", "train": ["a"]}}, "protocol.test is missing"),
        ({"terms": [{"kind": "f_similarity", "wieght": 2}]}, "terms.0: unknown key 'wieght'; did you mean 'weight'?"),
        (
            {"terms": [{"kind": "f_similarity", "f": "kll"}]},
            "terms.0.f is 'kll'; did you mean 'kl'? legal: 'kl', 'reverse_kl'",
        ),
        ({"labels": {"kind": "classes", "names": ["a"]}}, "labels.names is ['a']"),
        ({"encoder": "mlp"}, "encoder is 'mlp'; it is a table with keys of its own, such as encoder.kind"),
        ({"name": "../x"}, "name: '../x' cannot name a folder everywhere; begin with a letter"),
        (
            {"features": {"kind": "log_mel", "normalise": {"scope": "item", "transductive": True}}},
            "features.normalise: transductive has no meaning for scope 'item'; legal with it: speaker, corpus",
        ),
        (
            {"features": {"kind": "log_mel", "normalise": {"scope": "item", "steady_across": "language"}}},
            "features.normalise: steady_across weighs features by the statistics of training items, which scope 'item' "
            "does not use; legal with it: train, corpus, speaker",
        ),
        ({"features": {"kind": "vectors", "path": "x.npz"}}, "encoder.kind 'conv_pool' reads sequences; vectors need"),
        (
            {"encoder": {"kind": "speech"}, "features": {"kind": "words", "path": "x.npz"}},
            "encoder.kind \"speech\" reads log-Mel energies, and features.kind 'words' gives others; use "
            'features.kind = "log_mel", or another encoder',
        ),
        (
            {"encoder": {"kind": "speech"}, "terms": [{"kind": "f_similarity"}]},
            "f_similarity compares embeddings of entries of 0 or more; set encoder.non_negative = true",
        ),
        ({"encoder": {"kind": "speech"}, "features": {"kind": "faces"}}, "encoder.kind 'speech' cannot read pictures"),
        ({"monitor": {"snapshots": [0]}}, "monitor.snapshots.0 is 0; legal: at least 1"),
        ({"training": {"learning_rate": float("nan")}}, "training.learning_rate is nan; legal: a finite number"),
        ({"training": {"learning_rate": "fast"}}, "training.learning_rate is 'fast'; legal: a number"),
        ({"training": {"learning_rate": 11}}, "training.learning_rate is 11; legal: at most 10"),
        ({"training": {"learning_rate": 0}}, "training.learning_rate is 0; legal: above 0"),
        ({"training": {"epochs": 1.5}}, "training.epochs is 1.5; legal: a whole number"),
        ({"training": {"epochs": [3]}}, "training.epochs is [3]; legal: a whole number"),
        ({"training": {"selection": 0}}, "training.selection is 0; legal: 'validation', 'last' or at least 1"),
        (
            {"training": {"device": "cdua"}},
            "training.device is 'cdua'; did you mean 'cuda'? legal: 'auto', 'cpu', 'cuda'",
        ),
        ({"training": 3}, "training is 3; it is a table with keys of its own"),
        ({"seed": 2**63}, f"seed is {2**63}; legal: below {2**63}"),
        ({"augment": {"speed": 1.1}}, "augment.speed: 1.1 is no pair of numbers; give [lowest, highest]"),
        ({"augment": {"noise": [50]}}, "augment.noise: [50] is no pair of numbers; give [lowest, highest]"),
        ({"augment": {"noise": [5, "x"]}}, "augment.noise.1 is 'x'; legal: a number"),
        ({"augment": {"speed": [1.1, 0.9]}}, "augment.speed: in [1.1, 0.9] the ends are swapped; give [0.9, 1.1]"),
        ({"augment": {"speed": [0.1, 0.9]}}, "augment: speed is [0.1, 0.9]; give [lowest, highest] within 0.5 to 2"),
        (
            {"labels": {"kind": "classes", "names": "ab"}},
            "labels.names is 'ab'; legal: a list, in [ ], such as",
        ),
        ({"labels": {"kind": "classes", "names": ["a", 2]}}, "labels.names.1 is 2; legal: a text"),
        ({"labels": {"kind": "classes", "names": ["a", "b"], "soft": "?"}}, "labels.soft is '?'; legal: true or false"),
        (
            {"labels": {"kind": "levels", "names": ["a"]}},
            "labels: names is ['a']; give two names or more, the lowest first, or cut numbers by thresholds or bins",
        ),
        (
            {"labels": {"kind": "levels", "bins": 3, "thresholds": [1]}},
            "labels: bins learns thresholds, and thresholds gives them; keep one of the two",
        ),
        (
            {"labels": {"kind": "levels", "bins": 3, "names": ["a", "b"]}},
            "labels: bins makes 3 levels, and 2 are named; name 3, or none",
        ),
        ({"labels": {"kind": "levels", "bins": 1}}, "labels.bins is 1; legal: at least 2"),
        ({"labels": {"kind": "poles", "dimension": "v", "names": ["a"]}}, "labels.names is ['a']; legal: a list of 2"),
        ({"terms": []}, "terms is []; legal: a list of at least 1"),
        (
            {"terms": {"kind": "cross_entropy"}},
            "terms is {'kind': 'cross_entropy'}; legal: a list of tables, [[terms]]",
        ),
        ({"corpora": ["emodb"]}, "corpora.0 is 'emodb'; it is a table with keys of its own"),
        ({"features": {"kind": "vectors", "path": 3}}, "features.path is 3; legal: a text or a list, in [ ]"),
        ({"features": {"kind": "vectors", "path": ["a", 3]}}, "features.path.1 is 3; legal: a text"),
        (
            {"protocol": {"kind": "leave_one_out", "fold": "al"}},
            "protocol.fold is 'al'; did you mean 'all'? legal: a whole",
        ),
    ],
)
def test_a_fault_names_key_value_and_what_is_legal(change, message):
    with pytest.raises(InputError) as caught:
        make_recipe(changed(**change), "my.toml")
    assert str(caught.value).startswith(f"my.toml: {message}")
    assert "\n" not in str(caught.value)


def test_every_fault_is_told_at_once():
    with pytest.raises(InputError) as caught:
        make_recipe(changed(training={"epochs": 0, "batch_size": 1}))
    assert len(str(caught.value).splitlines()) == 2


def test_every_fault_that_the_schema_can_find_has_plain_words():
    """Words of pydantic, by which it names types of Python, reach nobody."""
    for section in (Recipe, *(kind for kind in Section.__subclasses__() if kind.__module__ == Recipe.__module__)):
        for key in section.model_fields:
            for wrong in ("?", -1, 1.5, [], {}, ["?"], [{}], {"x": 1}, [1, 2, 3], 10**400):
                try:
                    section.model_validate({key: wrong})
                except ValidationError as error:
                    told = "\n".join(sentences(error, {key: wrong}))
                    assert not re.search(r"should|a valid|after validation|tuple|string|integer", told), told


@given(
    epochs=st.integers(1, 10**6),
    rate=st.floats(1e-12, 10),
    names=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))), min_size=2, max_size=4),
    level=st.none() | st.floats(-90, 0),
)
def test_what_is_written_reads_back_equal(tmp_path_factory, epochs, rate, names, level):
    recipe = make_recipe(
        changed(
            data="/",
            training={"epochs": epochs, "learning_rate": rate},
            labels={"kind": "classes", "names": names},
            features={"kind": "log_mel", "level": level},
        )
    )
    path = tmp_path_factory.mktemp("recipe") / "r.toml"
    path.write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(path) == recipe


def written(tmp_path, text):
    path = tmp_path / "r.toml"
    path.write_text(text, encoding="utf-8")
    return path


TEXT = dump_recipe(make_recipe(BASE))


def test_overrides_reach_nested_keys_and_entries_of_lists(tmp_path):
    recipe = load_recipe(
        written(tmp_path, TEXT),
        ["training.epochs=7", "corpora.0.path=x/y", 'labels.names=["u","v"]', "protocol.fold=2"],
    )
    assert (recipe.training.epochs, recipe.corpora[0].path, recipe.labels.names) == (7, "x/y", ("u", "v"))
    assert recipe.protocol.fold == 2


def test_data_of_the_file_is_relative_to_the_file_and_that_of_an_override_to_here(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = written(tmp_path, TEXT.replace('data = "."', 'data = "corpora"'))
    assert load_recipe(path).data == str(tmp_path / "corpora")
    assert load_recipe(path, ["data=corpora"]).data == str(folder / "corpora")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs", "override 'training.epochs' has no '='; write it as key.sub=value"),
        ("trainig.epochs=3", "unknown key 'trainig'; did you mean 'training'?"),
        ("corpora.4.path=x", "override 'corpora.4.path=x': corpora has no entry 4; it has one, 0"),
        ("name.x=3", "override 'name.x=3': name is 'base' and has no keys below it"),
    ],
)
def test_overrides_that_cannot_be(tmp_path, override, message):
    with pytest.raises(InputError) as caught:
        load_recipe(written(tmp_path, TEXT), [override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        (["protocol.source=[en]"], """'protocol.source=["en"]'"""),
        (["protocol.source=[en,", "ur]", "seed=1"], """'protocol.source=["en", "ur"]'"""),
        (["features.normalise={scope=corpus}"], """'features.normalise={scope="corpus"}'"""),
        (["features.normalise={", "scope", "=", "corpus,", "transductive", "=", "true", "}"],
         """'features.normalise={ scope = "corpus", transductive = true }'"""),
        (["terms.0.x=[[1,a],[0.5,very", "far]]"], """'terms.0.x=[[1,"a"],[0.5,"very far"]]'"""),
        (["labels.names=[angry,happy"], """such as 'protocol.source=["en", "ur"]'"""),
    ],
)  # fmt: skip
def test_a_list_whose_quotation_marks_the_shell_took_away_is_shown_with_them(tmp_path, typed, remedy):
    with pytest.raises(InputError) as caught:
        load_recipe(written(tmp_path, TEXT), typed)
    assert str(caught.value) == (
        f"override '{typed[0]}' is a list or table without its quotation marks, which the shell takes away; quote the "
        f"whole argument: {remedy}"
    )


def test_a_list_of_toml_stays_as_it_is(tmp_path):
    recipe = load_recipe(written(tmp_path, TEXT), ["labels.names=['u', \"[v\"]", "data=[x]", "monitor.snapshots=[1]"])
    assert (recipe.labels.names, recipe.monitor.snapshots) == (("u", "[v"), (1,))


def test_files_that_are_no_recipe(tmp_path):
    with pytest.raises(InputError, match="there is no recipe"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(InputError, match="not valid TOML"):
        load_recipe(written(tmp_path, "a = = 2"))
    latin = tmp_path / "latin.toml"
    latin.write_bytes('name = "é"'.encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8; save it as UTF-8"):
        load_recipe(latin)
    bom = tmp_path / "bom.toml"
    bom.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert load_recipe(bom).name == "base"
