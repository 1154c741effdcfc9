"""Every mart is an asset with the check that its sums match, and with a version that tells its query."""

from dataclasses import replace

import pytest
from dagster import AssetsDefinition

from airline_platform.contract.table import Column
from airline_platform.definitions import defs
from assets.marts.assets import mart_assets, version_of
from assets.marts.declarations import MARTS
from assets.marts.declared.long_delays import LONG_DELAYS
from assets.marts.replacement import query_of
from assets.marts.sums import SUMS_MATCH


@pytest.mark.parametrize("asset", mart_assets, ids=list(MARTS))
def test_every_mart_has_the_check_that_keeps_wrong_rows_out(asset: AssetsDefinition) -> None:
    (spec,) = asset.check_specs

    assert (spec.name, spec.blocking) == ("sums_match", True)
    assert spec.description == SUMS_MATCH.description
    every = defs.resolve_implicit_global_asset_job_def().asset_layer.asset_graph
    assert spec.key in every.asset_check_keys


def test_another_query_or_column_is_another_code_version_and_words_for_people_are_not() -> None:
    query = query_of(LONG_DELAYS)
    column, *others = LONG_DELAYS.table.columns
    wider = replace(LONG_DELAYS, table=LONG_DELAYS.table.with_columns([Column("more", "string", "More.")]))
    reworded = replace(column, description="Said in other words.")
    same = replace(LONG_DELAYS, table=replace(LONG_DELAYS.table, columns=(reworded, *others)))

    version = version_of(LONG_DELAYS, query)
    assert version == version_of(same, query)
    assert version != version_of(LONG_DELAYS, query.replace(">=", ">"))
    assert version != version_of(wider, query)


@pytest.mark.parametrize("asset", mart_assets, ids=list(MARTS))
def test_an_asset_has_the_code_version_of_its_mart(asset: AssetsDefinition) -> None:
    mart = MARTS[asset.key.path[-1]]

    assert asset.code_versions_by_key == {asset.key: version_of(mart, query_of(mart))}


def test_there_is_an_asset_for_each_mart() -> None:
    assert [asset.key.path[-1] for asset in mart_assets] == list(MARTS)
