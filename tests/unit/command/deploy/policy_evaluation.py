"""Evaluates IAM policies as an account does ("Policy evaluation logic", IAM User Guide), as far as ours go.

An explicit deny wins; else a policy of the caller or of the resource has to allow. A role's trust and a key's
policy have to allow it themselves; where they name the account, a policy of the caller has to, too. What the
policies have and this does not know raises, so that nothing passes by mistake.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from template_evaluation import ACCOUNT, PSEUDO, Evaluated

from command.deploy.permissions.calls import Call, Place

PLACE = Place(PSEUDO["AWS::Region"], ACCOUNT)

ARNS = {
    "AWS::S3::Bucket": ("BucketName", "arn:aws:s3:::{}"),
    "AWS::SQS::Queue": ("QueueName", "arn:aws:sqs:{region}:{account}:{}"),
    "AWS::SNS::Topic": ("TopicName", "arn:aws:sns:{region}:{account}:{}"),
    "AWS::Events::Rule": ("Name", "arn:aws:events:{region}:{account}:rule/{}"),
    "AWS::IAM::Role": ("", "arn:aws:iam::{account}:role/{}"),
    "AWS::KMS::Key": ("", "arn:aws:kms:{region}:{account}:key/{}"),
}
"""The property that names a resource, its logical id where there is none, and its ARN."""

GATES = ("AWS::IAM::Role", "AWS::KMS::Key")
"""What nobody uses unless its own policy says so."""

GATED = ("sts:", "kms:")
"""Beginnings of the actions on those."""


@dataclass(frozen=True)
class Statement:
    """A statement of a policy.

    Args:
        owner: Logical id of the role or policy it stands in, of the resource it is about, or of its policy.
        sid: Its name.
        effect: `Allow` or `Deny`.
        actions: Patterns.
        resources: Patterns of ARNs.
        principals: Services and accounts it is about; None in a policy of the caller.
        conditions: Values by operator and key.
        gate: Whether it stands in a role's trust, or in a key's policy.
    """

    owner: str
    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: tuple[str, ...] | None
    conditions: Mapping[str, Mapping[str, Any]] = field(hash=False)
    gate: bool = False

    def is_about(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether it speaks of this call, whoever makes it."""
        return (
            any(like(action, pattern, ignore_case=True) for pattern in self.actions)
            and any(like(resource, pattern) for pattern in self.resources)
            and all(
                _holds(operator, context.get(key), _listed(values))
                for operator, by_key in self.conditions.items()
                for key, values in by_key.items()
            )
        )

    def names(self, actor: str) -> bool:
        """Whether it is one of the caller's, or names the caller, or everybody."""
        if self.principals is None:
            return self.owner == actor
        return "*" in self.principals or actor in self.principals


def statements_of(made: Evaluated) -> list[Statement]:
    """Every statement of every policy that a template makes."""
    return list(_statements(made))


def is_allowed(statements: Sequence[Statement], call: Call) -> bool:
    """Whether a call is allowed on every resource it is made on."""
    placed = call.at(PLACE)
    context = {"aws:SecureTransport": "true", **placed.context}
    asked = (placed.actor, placed.iam_action)
    return all(_allowed_on(statements, *asked, arn, context) for arn in placed.arns(PLACE))


def _allowed_on(
    statements: Sequence[Statement], actor: str, action: str, resource: str, context: Mapping[str, str]
) -> bool:
    about = [it for it in statements if it.is_about(action, resource, context)]
    if any(it.effect == "Deny" and it.names(actor) for it in about):
        return False
    mine = any(it.names(actor) and not it.gate for it in about)
    if not action.startswith(GATED):
        return mine
    gates = [it for it in about if it.gate]
    by_account = any("account" in (it.principals or ()) for it in gates)
    return any(it.names(actor) for it in gates) or (by_account and mine)


def _statements(made: Evaluated) -> Iterator[Statement]:
    arns = dict(_arns(made))

    def filled(text: Any) -> str:
        for word, arn in arns.items():
            text = str(text).replace(word, arn)
        return str(text)

    for key, resource in made.resources.items():
        properties, kind = resource.get("Properties", {}), resource["Type"]
        documents = [properties.get(name) for name in ("PolicyDocument", "KeyPolicy")]
        documents += [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
        documents.append(properties.get("AssumeRolePolicyDocument"))
        itself = arns.get(f"<{key}.Arn>", "*")
        for row in (row for document in documents if document for row in document["Statement"]):
            principal = row.get("Principal")
            # A key's policy says `*` of the key it belongs to, and a trust says nothing.
            about = _listed(row.get("Resource", "*"))
            is_gate = kind in GATES and principal is not None
            yield Statement(
                owner=key,
                sid=row.get("Sid", "trust" if is_gate else ""),
                effect=row["Effect"],
                actions=tuple(_listed(row["Action"])),
                resources=(itself,) if is_gate else tuple(map(filled, about)),
                principals=None if principal is None else tuple(_principals(principal)),
                conditions={
                    operator: {name: [filled(it) for it in _listed(values)] for name, values in keys.items()}
                    for operator, keys in row.get("Condition", {}).items()
                },
                gate=is_gate,
            )


def _arns(made: Evaluated) -> Iterator[tuple[str, str]]:
    """The word that an evaluated template has for a resource, and its ARN or name."""
    for key, resource in made.resources.items():
        if resource["Type"] in ARNS:
            named_by, shape = ARNS[resource["Type"]]
            arn = PLACE.fill(shape.replace("{}", resource["Properties"][named_by] if named_by else key))
            yield f"<{key}.Arn>", arn
            yield f"<{key}>", arn
        if resource["Type"] == "AWS::Glue::Database":
            yield f"<{key}>", resource["Properties"]["DatabaseInput"]["Name"]


def _principals(principal: Any) -> Iterator[str]:
    if isinstance(principal, str):
        yield principal
        return
    for kind, names in principal.items():
        for name in _listed(names):
            if kind == "AWS" and not name.endswith(":root"):
                raise ValueError(f"a principal that is not known here: {name}")
            yield "account" if kind == "AWS" else name


def like(text: str, pattern: str, *, ignore_case: bool = False) -> bool:
    """Whether a text is as a pattern of IAM says: `*` is any text, `?` any character, all else itself."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return bool(re.fullmatch(expression, text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)))


def _holds(operator: str, value: str | None, wanted: Sequence[str]) -> bool:
    """Whether a condition holds for a value; None: the call does not come with one."""
    quantified, _, plain = operator.rpartition(":")
    if quantified not in ("", "ForAllValues", "ForAnyValue"):
        raise ValueError(f"a condition that is not known here: {operator}")
    if value is None:
        return quantified == "ForAllValues"
    if plain in ("StringEquals", "Bool"):
        return value in wanted
    if plain in ("StringLike", "ArnLike", "ArnEquals"):
        return any(like(value, pattern) for pattern in wanted)
    raise ValueError(f"a condition that is not known here: {operator}")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
