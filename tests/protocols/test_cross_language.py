"""A language that is tested is in no other part, whatever the table."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.protocols import audit, cross_language, groups_of, inner_split

LANGUAGES = {"emodb": "de", "ravdess": "en", "cremad": "en", "urdu": "ur"}


def make(seed=0, n=160, speakers=6):
    """Items of four corpora in three languages, in random order; speakers of all corpora bear the same names."""
    random = np.random.default_rng(seed)
    corpus = random.permutation(np.repeat(list(LANGUAGES), n // 4))
    told = {
        "id": [f"i{k}" for k in range(n)],
        "corpus": corpus,
        "language": [LANGUAGES[name] for name in corpus],
        "speaker": [f"s{k}" for k in random.permutation(np.arange(n) % speakers)],
    }
    return pd.DataFrame(told).astype("string")


def languages(items, rows):
    return {*items["language"].iloc[rows]}


class TestCrossLanguage:
    @settings(deadline=None, max_examples=25)
    @given(st.integers(0, 1000), st.floats(0.1, 0.8), st.sampled_from(["speaker", "item", "language"]))
    def test_nothing_of_the_target_trains_or_validates_and_no_group_crosses(self, seed, share, by):
        items = make(seed)
        split = cross_language(items, "en", validate_share=share, validate_by=by, seed=seed)
        assert languages(items, split.test) == {"en"}
        assert languages(items, np.union1d(split.train, split.validate)) == {"de", "ur"}
        assert sorted([*split.train, *split.validate, *split.test]) == list(range(len(items)))
        groups = groups_of(items, by)
        assert not {*groups.iloc[split.train]} & {*groups.iloc[split.validate]}
        assert len(split.validate) > 0
        assert not audit(items, split, allow=["speaker"] if by in ("item", "language") else [])

    def test_others_are_all_but_source_and_target(self):
        items = make()
        items.loc[items["corpus"] == "cremad", "language"] = "am"
        told = cross_language(items, "en", ["de"], ["others"], validate_share=0)
        named = cross_language(items, "en", ["de"], ["am", "ur"], validate_share=0)
        assert told.name == named.name == "de, with am + ur -> en"
        np.testing.assert_array_equal(told.train, named.train)

    def test_source_and_auxiliary_alone_train_and_the_name_tells_which_is_which(self):
        items = make()
        alone = cross_language(items, "en", ["de"])
        assert languages(items, alone.train) == {"de"}
        assert alone.name == "de -> en"
        beside = cross_language(items, "en", ["de"], ["ur"])
        assert languages(items, beside.train) == {"de", "ur"}
        assert beside.name == "de, with ur -> en"
        assert cross_language(items, "en").name == "de + ur -> en"

    def test_the_name_tells_a_language_that_only_validates_and_never_among_those_that_train(self):
        items = make()
        items.loc[items["corpus"] == "cremad", "language"] = "am"
        for source, auxiliary, told in [
            ([], [], {"am": "de + ur (am validates) -> en", "de": "am + ur (de validates) -> en",
                      "ur": "am + de (ur validates) -> en"}),
            (["de"], ["ur"], {"de": "with ur (de validates) -> en", "ur": "de (ur validates) -> en"}),
        ]:  # fmt: skip
            for seed in range(8):
                split = cross_language(items, "en", source, auxiliary, 0.3, "language", seed)
                [validates] = languages(items, split.validate)
                assert split.name == told[validates]
        assert cross_language(items, "en", validate_share=0.6, validate_by="language").name.endswith(" validate) -> en")
        assert cross_language(items, "en", validate_share=0, validate_by="language").name == "am + de + ur -> en"

    def test_an_upper_bound_whose_target_validates_says_so(self):
        splits = [cross_language(make(), "en", ["de"], [], 0.5, "language", seed, None, 4, 1) for seed in range(8)]
        for split in splits:
            [validates] = languages(make(), split.validate)
            assert (
                split.name
                == {
                    "en": "de -> en, whose other speakers validate (fold 2 of 4)",
                    "de": "(de validates) -> en, whose other speakers train too (fold 2 of 4)",
                }[validates]
            )

    def test_what_a_language_gives_for_validation_does_not_depend_on_the_others(self):
        items = make()
        alone, beside = cross_language(items, "en", ["de"]), cross_language(items, "en", ["de"], ["ur"])
        german = (items["language"] == "de").to_numpy(bool)
        assert alone.validate.tolist() == [row for row in beside.validate if german[row]]

    def test_the_order_of_the_items_does_not_matter(self):
        items = make(3)
        order = np.random.default_rng(0).permutation(len(items))
        one, other = cross_language(items, "ur"), cross_language(items.iloc[order].reset_index(drop=True), "ur")
        for part in ("train", "validate", "test"):
            assert sorted(order[getattr(other, part)]) == getattr(one, part).tolist()

    def test_of_an_upper_bound_every_target_item_is_tested_once_by_people_who_do_not_train(self):
        items = make(1)
        splits = [cross_language(items, "en", target_folds=4, fold=fold) for fold in range(4)]
        tested = np.concatenate([split.test for split in splits])
        assert sorted(tested) == np.flatnonzero(items["language"] == "en").tolist()
        assert all(not audit(items, split) for split in splits)
        assert all("en" in languages(items, split.train) for split in splits)
        assert splits[1].name == "de + ur -> en, whose other speakers train too (fold 2 of 4)"
        assert splits[1].keeps_apart == ("speaker",)

    def test_settings_are_chosen_on_a_language_that_trains(self):
        items = make()
        outer = cross_language(items, "en")
        inner = inner_split(items, outer, "language", fold=1)
        assert (languages(items, inner.train), languages(items, inner.validate)) == ({"de"}, {"ur"})
        assert not len(inner.test)


class TestErrors:
    def test_a_target_that_trains_is_refused(self):
        with pytest.raises(
            InputError, match="'de' is the target and trains as well, so that it would not be one never"
        ):
            cross_language(make(), "de", ["de", "en"])

    def test_an_unknown_language_names_those_there_are(self):
        with pytest.raises(InputError, match=r"there is no language 'deu'; did you mean 'de'\? legal: de, en, ur"):
            cross_language(make(), "deu")

    def test_one_that_is_spelled_otherwise_names_it_or_the_code(self):
        for other in ("fr", "du", "en-US"):
            with pytest.raises(InputError) as caught:
                cross_language(make().replace({"language": {"en": "am"}}), other)
            assert str(caught.value) == f"there is no language {other!r}; legal: am, de, ur"
        with pytest.raises(InputError, match=r"there is no language 'DE'; did you mean 'de'\? legal: de, en, ur"):
            cross_language(make(), "DE")
        with pytest.raises(
            InputError,
            match="no language 'German'; these corpora name theirs by ISO 639, as 'de' for German; leg",
        ):
            cross_language(make(), "German")

    @pytest.mark.parametrize(
        ("other", "told"),
        [
            (
                "DE",
                "name one language in two ways, 'DE' and 'de', so that it could train and be tested at once; write",
            ),
            ("German", "by words, such as 'German', and by codes, such as 'de', which may be one language"),
        ],
    )
    def test_one_language_by_two_names_is_refused_before_it_trains_and_is_tested(self, other, told):
        items = make()
        items.loc[items["corpus"] == "urdu", "language"] = other
        with pytest.raises(InputError, match=told):
            cross_language(items, "de")

    def test_languages_that_all_have_words_for_names_are_as_good(self):
        items = make().assign(
            language=lambda told: told["language"].map({"de": "German", "en": "English", "ur": "Urdu"})
        )
        assert cross_language(items, "German").name == "English + Urdu -> German"

    def test_a_language_named_twice(self):
        with pytest.raises(InputError, match="'ur' is named twice in source and auxiliary"):
            cross_language(make(), "de", ["ur"], ["ur"])

    @pytest.mark.parametrize("auxiliary", [["others"], ["ur"], ["de", "ur"]])
    def test_auxiliary_languages_without_a_source(self, auxiliary):
        told = f"auxiliary is {', '.join(auxiliary)} beside no source; name the source, or leave auxiliary out"
        with pytest.raises(InputError, match=told):
            cross_language(make(), "en", auxiliary=auxiliary)

    def test_others_of_which_there_are_none(self):
        told = (
            'is "others", all but source and target, and the items are of no language but de, en, ur; leave auxiliary'
        )
        with pytest.raises(InputError, match=told):
            cross_language(make(), "en", ["de", "ur"], ["others"])
        with pytest.raises(InputError, match="there is no language 'fr'"):
            cross_language(make(), "fr", ["de", "en", "ur"], ["others"])
        with pytest.raises(InputError, match="'en' is the target and trains as well"):
            cross_language(make(), "en", ["de", "en", "ur"], ["others"])

    def test_only_the_target_is_there(self):
        items = make().assign(language="de")
        with pytest.raises(InputError, match="all items are of the target language 'de', and none is left to train"):
            cross_language(items, "de")

    def test_items_without_a_language(self):
        items = make()
        items.loc[items.index[3], "language"] = "  "
        named = f"{items['corpus'].iloc[3]}/i3"
        with pytest.raises(InputError, match=f"1 of 160 items have no language, such as '{named}'; give their corpus"):
            cross_language(items, "de")

    def test_one_speaker_cannot_both_train_and_validate(self):
        items = make()
        items.loc[items["language"] == "ur", "speaker"] = "s0"
        with pytest.raises(InputError, match="language 'ur' is of one speaker, 'urdu/s0', so none can be kept for"):
            cross_language(items, "de")

    def test_one_language_cannot_both_train_and_validate(self):
        with pytest.raises(InputError, match="all that trains is of one language, 'ur', so none can be kept for"):
            cross_language(make(), "de", ["ur"], validate_by="language")

    def test_folds_that_the_target_cannot_fill(self):
        with pytest.raises(
            InputError, match="target_folds is 9, and the target language has 6 speakers; legal: 2 to 6"
        ):
            cross_language(make(), "de", target_folds=9)
        with pytest.raises(InputError, match=r"fold is 3; there are 3 folds, so legal are 0\.\.2"):
            cross_language(make(), "de", target_folds=3, fold=3)


@pytest.mark.parametrize(("one", "other", "told"), [("de", "deu", "de"), ("ger", "de", "de"), ("en", "en-US", "en")])
def test_two_codes_of_one_language_are_refused(one, other, told):
    items = make()
    items["language"] = ["ur" if name == "urdu" else one if name == "emodb" else other for name in items["corpus"]]
    with pytest.raises(InputError, match=f"write '{told}' in each corpus.toml, or in the column 'language'"):
        cross_language(items, "ur")
