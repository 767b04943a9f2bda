"""Section `split`: what may not be in two of train, val and test at once."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section

Share = Annotated[float, Field(gt=0, lt=1)]


class Duplicates(Section):
    """The search for near-duplicates across parts; see `stages.core.proof.duplicates`.

    Attributes
    ----------
    max_correlation : float
        Two stretches that correlate better than this, after whitening, are one recording.
    landmarks : int
        Places of a session that are compared, for each part: about 0.8 KiB each. A pair that shares a part `q` of the
        longer session is overlooked with a probability of about ``(1 - q) ** landmarks``.
    max_proposals : int
        The most pairs whose samples are compared, those first that agree best.
    """

    max_correlation: float = Field(gt=0, lt=1)
    landmarks: int = Field(ge=4, le=64)
    max_proposals: int = Field(ge=1)


class SplitSection(Section):
    """Base of every kind of split.

    Attributes
    ----------
    leaky : bool
        Whether the kind is known to leak, so that its proof is recorded and not required.
    duplicates : Duplicates
    """

    leaky: ClassVar[bool] = False
    duplicates: Duplicates


class UnitSplit(SplitSection):
    """Whole sessions, groups (machines, bearings, people) or conditions, stratified by the most severe class.

    Attributes
    ----------
    folds : int
        One of `folds` parts is test, one is val, the rest is train.
    by : {"session", "group", "condition"}
        What stays together.
    """

    by: Literal["session", "group", "condition"]
    folds: int = Field(ge=3, le=20)


class HeldOut(Section):
    """Values that belong to val and to test; every other value belongs to train.

    Attributes
    ----------
    val, test : tuple of str
        At least one value each.
    """

    val: tuple[str, ...] = Field(min_length=1)
    test: tuple[str, ...] = Field(min_length=1)


class HeldOutSplit(SplitSection):
    """Operating conditions and machine states that training never sees.

    A session of the first class goes where its condition belongs. One of a more severe class is used only where its
    condition and its state belong to the same part; the others are left out, and listed.
    """

    by: Literal["held_out"]
    conditions: HeldOut
    states: HeldOut


class Fractions(Section):
    """Shares of train, val and test.

    Attributes
    ----------
    train, val, test : float
        They add up to 1.
    """

    train: Share
    val: Share
    test: Share

    @model_validator(mode="after")
    def _whole(self) -> Fractions:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, val and test add up to {total:g}; they must add up to 1")
        return self


class TimeSplit(SplitSection):
    """The past trains, the future tests: each session, or each group's sessions in a row, is cut at two moments.

    Attributes
    ----------
    within : {"session", "group"}
        ``group`` puts the sessions of a group in the order of their ids, which therefore has to be that of time.
    fractions : Fractions
        Of the samples.
    gap_s : float
        Time left out at each cut, for neighbouring windows depend on each other.
    """

    by: Literal["time"]
    within: Literal["session", "group"]
    fractions: Fractions
    gap_s: float = Field(ge=0)


class ExplicitSplit(SplitSection):
    """Groups or sessions named one by one; those not named are left out, and listed.

    Attributes
    ----------
    unit : {"group", "session"}
        What the lists name.
    train, val, test : tuple of str
        Ids of groups or sessions.
    """

    by: Literal["explicit"]
    unit: Literal["group", "session"]
    train: tuple[str, ...] = Field(min_length=1)
    val: tuple[str, ...] = Field(min_length=1)
    test: tuple[str, ...] = Field(min_length=1)


class RandomWindowsSplit(SplitSection):
    """Windows dealt out at random, as is often done: a window's neighbours, which overlap it, train on its samples.

    It is here for the comparison, never for a release. Whole groups are set aside first as the part "unseen", which
    shows beside test what the model is worth on a machine that it never saw.

    Attributes
    ----------
    fractions : Fractions
        Of the windows of each class that are not set aside.
    honest_folds : int
        One of `honest_folds` parts of the groups is set aside; of a single group nothing can be.
    test_sessions : tuple of str
        Sessions that are test as a whole, where a publisher already dealt rows out; the windows of the others are then
        train and val, in the proportion of these fractions.
    """

    leaky: ClassVar[bool] = True
    by: Literal["random_windows"]
    fractions: Fractions
    honest_folds: int = Field(ge=2, le=20)
    test_sessions: tuple[str, ...]


Split = Annotated[
    UnitSplit | HeldOutSplit | TimeSplit | ExplicitSplit | RandomWindowsSplit,
    Field(discriminator="by"),
]
