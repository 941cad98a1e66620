"""The verbs in order: load a policy, load a history, evaluate. No logic of its own.

YAML text -> Source -> Document -> CheckedDocument -> Policy --+
                                                               +-> Evaluation
event text -> History ----------------------------------------+
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from policy_engine.cel.values import Timestamp
from policy_engine.evaluating.replay import evaluate, opened_at, timezone_of
from policy_engine.evaluating.revision import check_dates, in_force
from policy_engine.loading.cache import PolicyCache
from policy_engine.loading.history_file import history_from_mapping, read_histories
from policy_engine.loading.library import Library, RevisionFile, looks_like_path
from policy_engine.model.evaluation import Evaluation
from policy_engine.model.history import History
from policy_engine.model.policy import Policy as Definition
from policy_engine.source import Diagnostic, InvalidHistoryError, InvalidPolicyError
from policy_engine.source.frozen import frozen

__all__ = [
    "Policy",
    "choose_policy",
    "find_policies",
    "load_history",
    "load_policies",
    "load_policy",
    "problems_of",
    "revision_problems",
]


@frozen
class Policy:
    """A policy ready for use; ``definition`` is all that it says."""

    definition: Definition

    @property
    def id(self) -> str:
        return self.definition.id

    @property
    def revision(self) -> str:
        return self.definition.revision

    @property
    def digest(self) -> str:
        """What identifies the policy's meaning: equal digests, equal evaluations."""
        return self.definition.digest

    def evaluate(self, history: History, *, as_of: datetime | Timestamp) -> Evaluation:
        """What a history comes to at an instant: pure, the same inputs give the same bytes.

        ``as_of`` is an aware datetime; digits finer than a microsecond do not exist. Raises ValueError for
        a naive one, InvalidHistoryError where the history does not fit the policy.
        """
        return evaluate(self.definition, history, _timestamp(as_of))

    def timezone(self, history: History) -> str:
        """The time zone of the default calendar for a history's order."""
        return timezone_of(self.definition, history)

    def opened(self, history: History) -> Timestamp:
        """When the case of a history opens. Raises InvalidHistoryError where its order does not fit."""
        return opened_at(self.definition, history)


def load_policy(
    policy: str | Path,
    *,
    readings: Sequence[str] = (),
    sets: Mapping[str, Any] | None = None,
    library: Library | None = None,
    cache: Path | None = None,
) -> Policy:
    """A policy from a path (``policies/x/2012.yaml``) or a name (``NAME``, ``NAME@REVISION``).

    ``readings`` choose declared readings, ``sets`` replaces parameters by name for a what-if, ``cache`` is
    a folder for compiled policies. Raises InvalidPolicyError with every problem found; a name of several
    revisions is refused, since nothing says which is meant.
    """
    files = find_policies(policy, library or Library.shipped())
    if len(files) > 1:
        names = ", ".join(f"`{file.name}`" for file in files)
        message = f"policy `{policy}` has {len(files)} revisions"
        raise InvalidPolicyError([Diagnostic("policy.which-revision", message, help=f"name one of {names}")])
    return _load(files[0], tuple(readings), sets or {}, cache)


def load_policies(
    policy: str | Path,
    *,
    readings: Sequence[str] = (),
    sets: Mapping[str, Any] | None = None,
    library: Library | None = None,
    cache: Path | None = None,
) -> tuple[Policy, ...]:
    """Every revision that a name may mean, one for a path or a pinned name. Raises InvalidPolicyError, also
    where the revisions' dates overlap or leave a gap."""
    files = find_policies(policy, library or Library.shipped())
    policies = tuple(_load(file, tuple(readings), sets or {}, cache) for file in files)
    problems = revision_problems(policies, files)
    if problems:
        raise InvalidPolicyError(problems)
    return policies


def revision_problems(policies: Sequence[Policy], files: Sequence[RevisionFile]) -> list[Diagnostic]:
    """What is wrong between the revisions of one policy: names that are not their files', dates that
    overlap or leave a gap."""
    found = []
    for policy, file in zip(policies, files, strict=True):
        if (policy.id, policy.revision) != (file.policy, file.revision):
            message = f"`{file.path}` holds `{policy.id}@{policy.revision}`, its place says `{file.name}`"
            found.append(Diagnostic("policy.misplaced", message))
    return found + check_dates([(p.definition, str(file.path)) for p, file in zip(policies, files, strict=True)])


def choose_policy(policies: Sequence[Policy], history: History, as_of: datetime | Timestamp, *, pinned: bool) -> Policy:
    """The revision in force for a history; a pinned one is taken whatever its dates."""
    if pinned:
        return policies[0]
    chosen = in_force([policy.definition for policy in policies], history, _timestamp(as_of))
    return Policy(chosen)


def find_policies(policy: str | Path, library: Library) -> tuple[RevisionFile, ...]:
    """The files that a name or a path means. Raises InvalidPolicyError where there are none."""
    if isinstance(policy, Path) or looks_like_path(policy):
        path = Path(policy)
        return (RevisionFile(path.resolve().parent.name, path.stem, path),)
    return library.find(policy)


def problems_of(
    path: Path, readings: Sequence[str] = (), sets: Mapping[str, Any] | None = None
) -> tuple[Definition | None, list[Diagnostic], tuple[Path, ...]]:
    """A policy file compiled, everything that is wrong with it, and the files it was made from.

    The policy is None where the file cannot be read at all; with problems it must not be evaluated.
    """
    # Only ever needed for a policy that is not in a cache: YAML, schemas and the grammar take a while.
    from policy_engine.compiling.from_document import Choices, compile_policy
    from policy_engine.loading.extends import read_policy_text
    from policy_engine.loading.schema import check_document

    text = read_policy_text(path)
    files = tuple(file for file, _ in text.files)
    if text.document is None:
        return None, list(text.diagnostics), files
    checked, shape = check_document("policy", text.document)
    policy, problems = compile_policy(checked, Choices(tuple(readings), sets or {}))
    return policy, [*text.diagnostics, *shape, *problems], files


def _load(file: RevisionFile, readings: tuple[str, ...], sets: Mapping[str, Any], cache: Path | None) -> Policy:
    stored = PolicyCache(cache) if cache is not None else None
    found = stored.load(file.path, readings, sets) if stored is not None else None
    if found is not None:
        return Policy(found)
    policy, problems, files = problems_of(file.path, readings, sets)
    if policy is None or problems:
        raise InvalidPolicyError(problems)
    if stored is not None:
        stored.store(file.path, readings, sets, policy, files)
    return Policy(policy)


def load_history(history: str | Path | Mapping[str, Any]) -> History:
    """One history from a file (YAML or JSON) or from a mapping of the same shape.

    Times are RFC 3339 texts with an offset, in a mapping also aware datetimes. Raises InvalidHistoryError
    with every problem found.
    """
    if isinstance(history, Mapping):
        return history_from_mapping(history)
    found: Iterator[History | InvalidHistoryError] = read_histories(Path(history))
    first = next(found)
    if isinstance(first, InvalidHistoryError):
        raise first
    if next(found, None) is not None:
        message = f"`{history}` holds several histories, one is expected"
        raise InvalidHistoryError([Diagnostic("history.several", message)])
    return first


def _timestamp(moment: datetime | Timestamp) -> Timestamp:
    return moment if isinstance(moment, Timestamp) else Timestamp.of(moment)
