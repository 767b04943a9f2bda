"""What a device means by a result that is not OK, as the error that it is for the user."""

from __future__ import annotations

from stages.core.device.update_line import BUILT_IN, Outcome, Release, Result
from stages.core.errors import AuditFailed, BudgetExceeded, DeviceError, ParityBroken, TailgateError

_FETCH = "Fetch the release again from where it was published, and audit it with `python -m stages.audit`"
_AGAIN = "Send it again"
#: Per result: what the device found, what it takes, and what to do.
_MEANINGS: dict[Result, tuple[str, str, str]] = {
    Result.SIZE: ("it does not fit a slot, or is not as long as it says", "a whole bundle that fits", _FETCH),
    Result.MAGIC: ("it is no bundle", "bundle.bin of a release", _FETCH),
    Result.FORMAT: ("its format is of another version", "the version of its firmware", "Update the firmware first"),
    Result.LAYOUT: ("its parts are not where the format has them", "a bundle as `release` wrote it", _FETCH),
    Result.DOWNGRADE: (
        "its release is before the latest that the device has confirmed",
        "that release or a later one",
        "Release it under a later version",
    ),
    Result.INTERFACE: (
        "its contracts are of another interface version",
        "the interface version of its firmware",
        "Build the firmware of this release, and flash it",
    ),
    Result.BOARD: ("it is for other boards", "a bundle for this one", "Add the board to the configuration"),
    Result.ARENA: (
        "its network needs a larger arena",
        "at most the arena of its firmware",
        "Build the firmware of this release, and flash it",
    ),
    Result.PREPROCESS: (
        "its preprocessing is not the one compiled in",
        "the same preprocess id",
        "Build the firmware of this release, and flash it; a bundle can only replace weights, rules and limits",
    ),
    Result.GRAPH: (
        "its network is not the one compiled in",
        "the same graph hash",
        "Build the firmware of this release, and flash it; a bundle can only replace weights, rules and limits",
    ),
    Result.HASH: ("a section is not what its table says", "a bundle as it was made", _FETCH),
    Result.UNSIGNED: (
        "it is a development release, which nobody signed",
        "a signed release",
        "Sign it with `python -m stages.publish sign`",
    ),
    Result.SIGNATURE: (
        "its signature is not by the key that the device trusts, or the device has none",
        "a release signed with the key whose public half was given to the build",
        "Sign it with that key, or build the firmware with the right TG_UPDATE_KEY",
    ),
    Result.SELF_TEST: (
        "its network gives other scores for the golden windows than the bundle promises",
        "the scores of the bundle, to the last bit",
        "Prove the release with `dvc repro validate`, and report what differs",
    ),
    Result.OVER_BUDGET: (
        "its network gives the right scores too late",
        "every golden window within the device's limit",
        "Make the network smaller, or raise TG_UPDATE_BUDGET_TICKS",
    ),
    Result.NOT_CONFIRMED: ("its trial started too often and was never healthy", "a healthy trial", _AGAIN),
    Result.INTERRUPTED: ("the device started anew while it received it", "a device that stays on", _AGAIN),
    Result.FLASH: ("its flash failed", "a flash that takes what is written to it", "Try again, or replace the device"),
    Result.STATE: (
        "it is on another update",
        "a device that runs a confirmed network",
        "Restart the device, and try again",
    ),
    Result.CONFIG: (
        "its rules or limits are ones that the product cannot go by",
        "rules within the bounds of firmware/runtime and the room of the firmware",
        "Build the firmware of this release, and flash it",
    ),
}
_KINDS: dict[Result, type[TailgateError]] = {
    Result.HASH: AuditFailed,
    Result.UNSIGNED: AuditFailed,
    Result.SIGNATURE: AuditFailed,
    Result.SELF_TEST: ParityBroken,
    Result.OVER_BUDGET: BudgetExceeded,
}


def refusal(outcome: Outcome, release: Release, bundle: str) -> TailgateError:
    """Say why a device did not take a bundle, and what it runs.

    Parameters
    ----------
    outcome : Outcome
        Of an update after which the device does not run the bundle.
    release : tuple of (int, int, int)
        The bundle's.
    bundle : str
        Its file.
    """
    result = outcome.result if outcome.result in _MEANINGS else Result.NOT_CONFIRMED
    found, expected, remedy = _MEANINGS[result]
    after = outcome.after
    runs = "built in" if after.running == BUILT_IN else f"of slot {after.running}"
    number = ".".join(map(str, release))
    return _KINDS.get(result, DeviceError)(
        found=f"the device refuses release {number} ({result.name}): {found}. It goes on with release "
        f"{'.'.join(map(str, after.running_release))}, {runs}",
        where=bundle,
        expected=expected,
        remedy=remedy,
    )
