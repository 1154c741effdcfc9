"""What a CloudFormation change set would do to a stack, resource by resource."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ChangeTypeDef

REPLACEMENTS = {"True": "yes", "Conditional": "perhaps", "False": "no"}
"""`Replacement` of a ResourceChange (CloudFormation's API reference) in words. It is told of a modified one;
`Conditional` depends on values that are known only while the change is made."""

FIRST = ("Remove", "Modify", "Dynamic", "Import", "Add")
"""Actions in the order in which people look: what may lose something comes first."""


@dataclass(frozen=True)
class Change:
    """What happens to one resource.

    Args:
        action: CloudFormation's: Add, Modify, Remove, Import or Dynamic.
        resource: Its logical id in the template.
        type: CloudFormation's, such as AWS::S3::Bucket.
        replacement: Whether a modified one is made anew: yes, no or perhaps; empty where it is not modified.
    """

    action: str
    resource: str
    type: str
    replacement: str


def changes_of(listed: "Iterable[ChangeTypeDef]") -> tuple[Change, ...]:
    """Read the changes of a change set, as DescribeChangeSet lists them; what removes comes first."""
    found = [
        Change(
            action=it["Action"],
            resource=it["LogicalResourceId"],
            type=it["ResourceType"],
            replacement=REPLACEMENTS[it["Replacement"]]
            if it["Action"] == "Modify" and "Replacement" in it
            else "",
        )
        for it in (change["ResourceChange"] for change in listed if "ResourceChange" in change)
    ]
    return tuple(sorted(found, key=_urgency))


def _urgency(change: Change) -> tuple[bool, int, str]:
    replaced = change.replacement in ("yes", "perhaps")
    order = FIRST.index(change.action) if change.action in FIRST else len(FIRST)
    return not replaced and change.action != "Remove", order, change.resource
