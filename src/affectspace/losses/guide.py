"""From the labels one has to the losses that fit, with what each costs: the table of the docs and of the command."""

from dataclasses import dataclass

__all__ = ["BEGIN_WITH", "GUIDE", "LABELS", "GuideRow"]

LABELS = {
    "classes": "one label an item",
    "votes": "several raters' labels an item",
    "scale": "ratings on a scale, or their mean",
    "levels": "classes that have an order",
    "groups": "speaker, language or corpus of an item",
    "modalities": "several views of one item, labelled or not",
    "unlabelled": "items that nobody labelled, beside some that somebody did",
}
"""What people have, by the word that the command takes."""

BEGIN_WITH = {
    "classes": "supervised_contrastive",
    "votes": "f_similarity",
    "scale": "f_similarity",
    "levels": "ordered_emd",
    "groups": "linear_adversary",
    "modalities": "matching",
    "unlabelled": "pseudo_labels",
}
"""The term to try first beside, or in place of, cross-entropy."""


@dataclass(frozen=True)
class GuideRow:
    """One loss, and when to use it.

    Args:
        term: its name, which is the one in a recipe if it is of :data:`GUIDE`.
        module: its class in :mod:`affectspace.losses`.
        labels: what it needs, of :data:`LABELS`.
        use: what it does and when that is wanted.
        time: operations for a batch of N items, D dimensions and C classes.
        memory: what it holds beside the batch itself; B is a block of some hundred rows.
    """

    term: str
    module: str
    labels: tuple[str, ...]
    use: str
    time: str
    memory: str


GUIDE = (
    GuideRow(
        "cross_entropy", "SoftCrossEntropyLoss", ("classes", "votes", "scale", "levels"),
        "the baseline, beside which any other stands; class weights balance rare classes",
        "N C", "N C",
    ),
    GuideRow(
        "f_similarity", "InBatchFSimilarityLoss", ("votes", "scale"),
        "embeddings as alike as the raters' votes; pairs balanced between alike and unlike",
        "N² (D + C)", "N²/2 up to 1,024 items, then B N",
    ),
    GuideRow(
        "supervised_contrastive", "SupervisedContrastiveLoss", ("classes", "votes", "groups"),
        "alike items together against all others; graded by votes (similarity), and across languages, if asked",
        "N² D", "B N",
    ),
    GuideRow(
        "triplet", "TripletLoss", ("classes",),
        "every item nearer to its own class than to others by a margin: all triplets, exactly",
        "N² (D + log N)", "B N",
    ),
    GuideRow(
        "contrastive_pairs", "ContrastivePairsLoss", ("classes", "votes"),
        "alike pairs together, others a margin apart; rare alike pairs count as much; graded by votes if asked",
        "N² D", "B N",
    ),
    GuideRow(
        "gaussian_manifold", "GaussianManifoldLoss", ("classes", "votes"),
        "each class a Gaussian: a space for clusters, sub-classes and nearest means",
        "N C D", "N (C + D)",
    ),
    GuideRow(
        "ordered_emd", "OrderedEMDLoss", ("levels", "scale"),
        "a miss by two levels costs more than a miss by one",
        "N C", "N C",
    ),
    GuideRow(
        "level_regression", "LevelRegressionLoss", ("levels", "scale"),
        "a miss costs its square: the baseline of regression, for steps of equal size",
        "N C", "N C",
    ),
    GuideRow(
        "guided_emd", "GuidedEMDLoss", ("classes", "levels"),
        "cross-entropy that spares near classes, where the net finds itself which are near",
        "N (C + D)", "N C + C D",
    ),
    GuideRow(
        "entropic_emd", "EntropicEMDLoss", ("classes", "votes", "levels"),
        "moving votes between classes at costs of your own",
        "N C² an iteration", "N C",
    ),
    GuideRow(
        "mmd", "MMDLoss", ("groups", "modalities"),
        "two sets of items, such as two corpora, in one distribution",
        "N² D", "B N",
    ),
    GuideRow(
        "hsic", "HSICLoss", ("groups", "modalities"),
        "an embedding that does not tell the speaker; with the sign turned, views that tell of each other",
        "N² D", "B N",
    ),
    GuideRow(
        "matching", "CrossModalMatchingLoss", ("modalities",),
        "the views of one item together, those of unlike items apart",
        "N² D", "B N",
    ),
    GuideRow(
        "adversary", "AdversaryLoss", ("groups",),
        "a classifier of speakers, say, from which the embedding learns to hide them",
        "N D H", "N H",
    ),
    GuideRow(
        "linear_adversary", "LinearAdversaryLoss", ("groups",),
        "what the best linear classifier tells of speakers, say, in closed form, which the embedding learns to hide",
        "N D² + D³", "N D + D²",
    ),
    GuideRow(
        "reconstruction", "ReconstructionLoss", ("modalities", "unlabelled"),
        "what a decoder makes of an embedding is the input again; missing frames and modalities never matter",
        "N D", "N D",
    ),
    GuideRow(
        "pseudo_labels", "PseudoLabelLoss", ("unlabelled",),
        "the class that the net itself finds most likely is the label, where it is sure",
        "N C", "N C",
    ),
    GuideRow(
        "consistency", "ConsistencyLoss", ("unlabelled",),
        "two views of an item, such as two augmentations, are predicted alike",
        "N C", "N C",
    ),
)  # fmt: skip
"""Every loss that a recipe can name."""
