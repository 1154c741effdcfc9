"""What can't get better ends its step at once; anything else may be retried."""

import pytest
from dagster import Failure

from airline_platform.errors import LoadRefused, PermanentError, UnusableInput
from assets.failures import permanent_errors_end_the_step


@pytest.mark.parametrize("kind", [PermanentError, UnusableInput, LoadRefused])
def test_a_permanent_error_is_never_retried(kind: type[PermanentError]) -> None:
    with pytest.raises(Failure) as failure, permanent_errors_end_the_step():
        raise kind("no", remedy="Mend it.")

    assert failure.value.allow_retries is False


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), KeyError("x")])
def test_any_other_error_passes_as_it_is_and_may_be_retried(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, permanent_errors_end_the_step():
        raise error

    assert raised.value is error
