"""Folders of policies: one folder a policy, one file a revision (``policies/NAME/REVISION.yaml``)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from policy_engine.loading.shipped import policies_folder
from policy_engine.source import Diagnostic, InvalidPolicyError
from policy_engine.source.diagnostic import did_you_mean, listed
from policy_engine.source.frozen import frozen

__all__ = ["Library", "RevisionFile", "looks_like_path"]


@frozen
class RevisionFile:
    policy: str
    revision: str
    path: Path

    @property
    def name(self) -> str:
        return f"{self.policy}@{self.revision}"


@frozen
class Library:
    """The policies of some folders; of two with one name the first folder's is meant."""

    folders: tuple[Path, ...]

    @classmethod
    def shipped(cls) -> Library:
        return cls((policies_folder(),))

    def all(self) -> tuple[RevisionFile, ...]:
        """Every revision there is, by policy and revision."""
        found: dict[str, tuple[RevisionFile, ...]] = {}
        for folder in self.folders:
            for inner in sorted(path for path in folder.glob("*") if path.is_dir()):
                found.setdefault(inner.name, tuple(_revisions(inner)))
        return tuple(file for name in sorted(found) for file in found[name])

    def find(self, name: str) -> tuple[RevisionFile, ...]:
        """The revisions that a name may mean: all of ``NAME``, the one of ``NAME@REVISION``.

        Raises InvalidPolicyError for a name that means none.
        """
        policy, _, revision = name.partition("@")
        every = self.all()
        found = [file for file in every if file.policy == policy]
        if not found:
            hint = did_you_mean(policy, {file.policy for file in every})
            raise InvalidPolicyError([Diagnostic("policy.unknown", f"there is no policy `{policy}`", help=hint)])
        if "@" not in name:
            return tuple(found)
        pinned = [file for file in found if file.revision == revision]
        if not pinned:
            known = listed([file.revision for file in found])
            message = f"policy `{policy}` has no revision `{revision}`"
            raise InvalidPolicyError([Diagnostic("policy.unknown-revision", message, help=f"it has {known}")])
        return tuple(pinned)


def _revisions(folder: Path) -> Iterable[RevisionFile]:
    for path in sorted(folder.glob("*.yaml")):
        if not path.name.endswith(".test.yaml"):
            yield RevisionFile(folder.name, path.stem, path)


def looks_like_path(name: str) -> bool:
    """Whether a policy is named by its file: names of policies have neither a slash nor an ending."""
    return "/" in name or "\\" in name or name.endswith((".yaml", ".yml"))
