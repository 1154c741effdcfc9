"""A refusal is one sentence that says what came, where, what was expected, and what to do."""

from resources.acceptance.verdicts import Refused


def test_a_refusal_is_told_in_one_sentence() -> None:
    refused = Refused(3, "2 fields", "5 fields (a,b,c,d,e)", "Mend the line and land the file again.")

    assert str(refused) == (
        "line 3: 2 fields; expected 5 fields (a,b,c,d,e). Mend the line and land the file again."
    )
