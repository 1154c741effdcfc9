"""Every mart is an asset with the check that its sums match."""

import pytest
from dagster import AssetsDefinition

from airline_platform.definitions import defs
from assets.marts.assets import mart_assets
from assets.marts.declarations import MARTS
from assets.marts.sums import SUMS_MATCH


@pytest.mark.parametrize("asset", mart_assets, ids=list(MARTS))
def test_every_mart_has_the_check_that_keeps_wrong_rows_out(asset: AssetsDefinition) -> None:
    (spec,) = asset.check_specs

    assert (spec.name, spec.blocking) == ("sums_match", True)
    assert spec.description == SUMS_MATCH.description
    every = defs.resolve_implicit_global_asset_job_def().asset_layer.asset_graph
    assert spec.key in every.asset_check_keys


def test_there_is_an_asset_for_each_mart() -> None:
    assert [asset.key.path[-1] for asset in mart_assets] == list(MARTS)
