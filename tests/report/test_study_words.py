"""The exact words of what was found, from summaries made by hand."""

import re
from dataclasses import replace

import numpy as np
import pytest

from affectspace.metrics.speaker_intervals import SpeakerInterval
from affectspace.report.phrases import p_value, signed
from affectspace.report.study_tables import legend
from affectspace.report.study_words import answers, cautions, overall
from affectspace.studies import open_study, summarise
from affectspace.studies.statistics import mean_interval, one_way_anova, tukey
from affectspace.studies.summary import RecipeSummary, SplitSummary

SPREAD = np.array([-0.01, 0.0, 0.01])


def split(means, *, name="A -> B", seeds=3, spread=1.0, speakers=None, chance=0.5, **more) -> SplitSummary:
    """Recipes with these means, the first the baseline; ``speakers``: interval of each other recipe."""
    figures = {recipe: mean + spread * SPREAD[:seeds] for recipe, mean in means.items()}
    base = next(iter(means))
    groups = list(figures.values())
    pairs, rows = tukey(groups), []
    for place, (recipe, values) in enumerate(figures.items()):
        row = RecipeSummary(recipe, mean_interval(values), 3, 10.0)
        if place:
            ends = (speakers or {}).get(recipe)
            resampled = SpeakerInterval(10, *ends) if ends else None
            row = replace(row, difference=pairs.between(place, 0), speakers=resampled)
        rows.append(row)
    return SplitSummary(name, base, tuple(rows), chance, 200, one_way_anova(groups), pairs, tuple(means), **more)


def words(sentences) -> str:
    return " ".join(" ".join(sentences).split())


def test_one_recipe_above():
    told = words(answers(split({"CE": 0.644, "KL": 0.690}, speakers={"KL": (-0.004, 0.093)})))
    assert told == (
        "KL is above CE on A -> B: +4.6 points of UAR (69.0 % against 64.4 %); over seeds 2.3 to 6.9 (Tukey p = .005), "
        "with other speakers −0.4 to 9.3, so it may vanish."
    )


def test_a_difference_that_holds_for_other_speakers_is_not_said_to_vanish():
    told = words(answers(split({"CE": 0.644, "KL": 0.690}, speakers={"KL": (0.012, 0.08)})))
    assert told.endswith("with other speakers 1.2 to 8.0.")


def test_one_recipe_below():
    told = words(answers(split({"CE": 0.69, "KL": 0.64}, speakers={"KL": (-0.08, -0.02)})))
    assert told == (
        "KL is below CE on A -> B: −5.0 points of UAR (64.0 % against 69.0 %); over seeds −7.3 to −2.7 (Tukey "
        "p = .004), with other speakers −8.0 to −2.0."
    )
    told = words(answers(split({"CE": 0.69, "KL": 0.64}, speakers={"KL": (-0.11, 0.01)})))
    assert told.endswith("with other speakers −11.0 to 1.0, so it may vanish.")


def test_no_difference_is_not_said_to_be_equality():
    told = words(answers(split({"CE": 0.65, "KL": 0.653}, speakers={"KL": (-0.02, 0.02)})))
    assert told == (
        "KL is not shown to differ from CE on A -> B: +0.3 points of UAR (65.3 % against 65.0 %); over seeds −2.0 to "
        "2.6 (Tukey p = .73), with other speakers −2.0 to 2.0."
    )


@pytest.mark.parametrize("mean", [0.70, 0.651, 0.60])
@pytest.mark.parametrize("speakers", [{"KL": (-0.1, 0.1)}, None])
def test_both_intervals_are_told_whatever_the_verdict(mean, speakers):
    told = answers(split({"CE": 0.65, "KL": mean}, speakers=speakers))[0]
    assert re.search(r"over seeds −?\d\.\d to −?\d\.\d \(Tukey p", told)
    assert re.search(r"with other speakers (−10\.0 to 10\.0|not known)", told)


def test_several_recipes_above_level_and_below():
    found = split({"CE": 0.60, "KL": 0.68, "JS": 0.66, "PS": 0.655, "RKL": 0.603, "HLG": 0.55})
    assert words(answers(found)) == (
        "KL is above CE on A -> B: +8.0 points of UAR (68.0 % against 60.0 %); over seeds 5.3 to 10.7 (Tukey "
        "p < .001), with other speakers not known. So are JS and PS (+5.5 to +6.0 points). Below CE is HLG (−5.0 "
        "points). RKL is not shown to differ from CE."
    )


def test_which_of_several_may_vanish():
    means = {"CE": 0.60, "KL": 0.68, "JS": 0.66, "PS": 0.655}
    some = answers(split(means, speakers={"KL": (0.01, 0.2), "JS": (-0.01, 0.2), "PS": (0.01, 0.1)}))
    assert some[1] == "So are JS and PS (+5.5 to +6.0 points; with other speakers that of JS may vanish)."
    every = answers(split(means, speakers={"KL": (0.01, 0.2), "JS": (-0.01, 0.2), "PS": (-0.01, 0.1)}))
    assert "with other speakers that of each may vanish" in every[1]


def test_only_below():
    found = split({"CE": 0.68, "KL": 0.62, "JS": 0.60, "PS": 0.679})
    assert words(answers(found)) == (
        "JS is below CE on A -> B: −8.0 points of UAR (60.0 % against 68.0 %); over seeds −10.6 to −5.4 (Tukey "
        "p < .001), with other speakers not known. So is KL (−6.0 points). PS is not shown to differ from CE."
    )


def test_several_that_cannot_be_told():
    told = words(
        answers(split({"CE": 0.60, "KL": 0.604, "JS": 0.598}, speakers={"KL": (0.0, 0.02), "JS": (-0.05, 0.01)}))
    )
    assert told.startswith(
        "No recipe is shown to differ from CE on A -> B: −0.2 to +0.4 points of UAR (CE 60.0 %); over seeds within −"
    )
    assert told.endswith("(smallest Tukey p = .88), with other speakers within −5.0 to 2.0.")


def test_one_seed_is_no_evidence():
    told = words(answers(split({"CE": 0.61, "KL": 0.65}, seeds=1, speakers={"KL": (0.01, 0.07)})))
    assert told == (
        "KL is not tested against CE on A -> B: +4.0 points of UAR (64.0 % against 60.0 %); over seeds not known, with "
        "other speakers 1.0 to 7.0. One seed each proves nothing: with other seeds the order may turn round, so no "
        "test is made."
    )


def test_seeds_that_all_agree_make_no_test():
    told = words(answers(split({"CE": 0.60, "KL": 0.64}, spread=0.0)))
    assert "No test is made: every seed of a recipe gives the same figure" in told


def test_no_better_than_chance():
    found = split({"CE": 0.248, "f-SPL": 0.235}, chance=0.25)
    first, *rest = answers(found)
    assert " ".join(first.split()) == (
        "No recipe is shown to be above chance (25.0 %) on A -> B, with CE at 24.8 % and f-SPL at 23.5 %: nothing is "
        "shown to have been learned, so nothing can be said of how the recipes differ."
    )
    assert rest[0].startswith("f-SPL is not shown to differ from CE")
    assert first in legend([found])
    aside = RecipeSummary("KL", mean_interval([0.5, 0.51, 0.52]), 3, 1.0)
    more = replace(found, rows=(*found.rows, aside), apart={"KL": "without 1 of 9 items: a/1"})
    assert answers(more)[0] == first.replace("No recipe", "None of the recipes compared")
    assert "On 2 of 2 splits no recipe is shown to be above chance." in overall([found, found])
    assert "chance" not in words(answers(split({"CE": 0.45, "KL": 0.49}, chance=float("nan"))))


@pytest.mark.parametrize(
    ("means", "seeds", "spread", "shown"),
    [
        ({"CE": 0.52, "KL": 0.60}, 3, 1.0, True),  # 57.5 to 62.5
        ({"CE": 0.52, "KL": 0.52}, 3, 1.0, False),  # 49.5 to 54.5
        ({"CE": 0.52, "KL": 0.53}, 3, 1.0, True),
        ({"CE": 0.52, "KL": 0.60}, 3, 5.0, False),
        ({"CE": 0.52, "KL": 0.56}, 1, 1.0, False),  # guessing 200 items reaches 57.1 by luck
        ({"CE": 0.52, "KL": 0.60}, 1, 1.0, True),
        ({"CE": 0.52, "KL": 0.60}, 2, 1.0, True),  # whose interval over seeds would be 53.1 to 65.9
    ],
)
def test_above_chance_is_what_intervals_show(means, seeds, spread, shown):
    assert split(means, seeds=seeds, spread=spread).at_chance == (not shown)


def test_what_cannot_be_ranked_is_not():
    found = replace(split({"CE": 0.6, "KL": 0.7}), obstacles=("CE and KL were not judged on the same items: 9 and 8.",))
    assert answers(found)[0] == "On A -> B the recipes cannot be ranked."
    assert "above" not in words(answers(found))


def test_recipes_without_runs():
    found = split({"CE": 0.6, "KL": 0.7})
    absent = RecipeSummary("JS", mean_interval([]), 3, float("nan"))
    more = replace(found, rows=(*found.rows, absent))
    assert words(answers(more)).endswith("JS has no finished run here.")
    alone = replace(found, rows=(found.rows[0], absent), tested=("CE",))
    assert words(answers(alone)) == "CE reaches 60.0 % UAR on A -> B. No other recipe has a finished run here."
    base_absent = replace(found, rows=(replace(absent, recipe="CE"), found.rows[1]), tested=("KL",))
    assert answers(base_absent) == ["On A -> B CE has no finished run yet, so there is nothing to compare with."]
    assert answers(replace(found, tested=())) == ["On A -> B no run is finished yet."]


def test_all_splits_in_a_sentence():
    splits = [
        split({"CE": 0.60, "KL": 0.68, "JS": 0.66, "PS": 0.601}, name="1"),
        split({"CE": 0.60, "KL": 0.68, "JS": 0.601, "PS": 0.52}, name="2"),
    ]
    assert overall(splits) == "Above CE: KL on 2 of 2 splits; JS on 1. Below CE: PS on 1."
    assert overall(splits[:1]) == ""
    assert overall([split({"CE": 0.6, "KL": 0.6})] * 2) == "Above CE: none on any split. Below CE: none."
    untested = split({"CE": 0.6, "KL": 0.7}, seeds=1)
    assert overall([*splits, untested]).endswith("Below CE: PS on 1. 1 of 3 splits cannot be judged.")


def test_cautions_tell_what_was_done_and_nothing_else():
    tested = split({"CE": 0.6, "KL": 0.7}, speakers={"KL": (0.0, 0.1)})
    told = words(cautions([tested]))
    assert "whether the training procedures differ on these test items" in told
    assert "from how the test speakers differ" in told
    assert "several splits" not in told
    few = split({"CE": 0.6, "KL": 0.7}, no_speakers="3 test speakers: too few")
    told = words(cautions([few]))
    assert "cannot be told (3 test speakers: too few)" in told
    assert "from how" not in told
    assert "nothing corrects for several splits" in words(cautions([tested, tested]))
    assert words(cautions([split({"CE": 0.6, "KL": 0.7}, seeds=1)])) == (
        "The study is not finished: figures are of the runs there are, and will move."
    )
    seen = split({"CE": 0.6, "KL": 0.7}, transductive=("KL",))
    assert "On A -> B the order is not fair: KL saw the (unlabelled) test items" in words(cautions([seen]))


def test_few_seeds_are_said_beside_the_answer_and_the_table(make_study):
    told = "Few seeds: a spread over 3 is a rough guess, and so are the intervals and tests that use it."
    few = [split({"CE": 0.6, "KL": 0.7})]
    assert told == cautions(few)[0]
    assert told in legend(few)
    several = [*few, split({"CE": 0.6, "KL": 0.7}, seeds=2)]
    assert "a spread over 2 to 3 is" in cautions(several)[0]
    enough = open_study(make_study({"CE": 0.5, "KL": 0.9}, seeds=5, items=40))
    assert "Few seeds" not in words([*cautions(summarise(enough)), *legend(summarise(enough))])


def test_a_printed_p_is_on_the_same_side_of_the_border():
    for p in [*np.linspace(0, 0.0999, 400), 0.05, 0.0499999, 0.04951]:
        told = p_value(p).replace("\u00a0", " ")
        assert ("<" in told) == (p < 0.001)
        assert "<" in told or (float(told.split()[-1]) < 0.05) == (p < 0.05)


def test_signs():
    assert [signed(x) for x in (-0.0001, 0.0001, 0.1, -0.1)] == ["0.0", "0.0", "+10.0", "−10.0"]
