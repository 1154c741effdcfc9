"""The template and the code name the same things, and the template may be deployed."""

import re
import subprocess
import sys
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, get_args

import pytest
from dagster import DagsterRun
from template_evaluation import evaluate, parsed

from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import FactTable, LakeTable
from airline_platform.contract.table import Column, Table
from airline_platform.errors import AirlineError
from airline_platform.feeds import FEEDS
from airline_platform.settings import Settings
from command.deploy import template as template_module
from command.deploy.buckets import BUCKETS
from command.deploy.programs import glue_programs
from command.deploy.template import LARGEST_BODY, TEMPLATE, in_any_case, logical_id, render, render_warehouse
from laptop.glue.crawler import LOG_GROUP, inherits
from laptop.glue.schema import excluded
from resources.catalog import catalog_tables
from resources.lake_days import run_folder

REPOSITORY = TEMPLATE.parents[1]

NAMES = {
    "LandingBucket.BucketName": "landing_bucket",
    "LakeBucket.BucketName": "lake_bucket",
    "AuditBucket.BucketName": "audit_bucket",
    "LandingEvents.QueueName": "landing_queue",
    "LandingEventsDeadLetters.QueueName": "landing_dead_letter_queue",
    "AlertsTopic.TopicName": "alerts_topic",
    "AlertsInbox.QueueName": "alerts_inbox",
    "Workgroup.Name": "workgroup",
}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return parsed(render())


def loop(template: dict[str, Any], name: str) -> tuple[list[str], dict[str, Any]]:
    """The collection of a Fn::ForEach, and the properties it repeats."""
    _, collection, body = template["Resources"][f"Fn::ForEach::{name}"]
    (resource,) = body.values()
    return collection, resource["Properties"]


def lint(text: str, folder: Path) -> tuple[int, str]:
    """Exit status and stdout of cfn-lint."""
    path = folder / "airline.yaml"
    path.write_text(text)
    command = [Path(sys.executable).with_name("cfn-lint"), path]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.returncode, answer.stdout


@pytest.mark.parametrize("text", [render(), render_warehouse()], ids=["platform", "warehouse"])
def test_cloudformation_takes_it_without_a_warning(tmp_path: Path, text: str) -> None:
    assert lint(text, tmp_path) == (0, "")


def test_it_is_small_enough_to_be_sent_in_a_request() -> None:
    assert len(render().encode()) <= LARGEST_BODY


def many(number: int) -> list[Feed]:
    """Feeds that differ in their names alone."""
    return [replace(FEEDS["bookings"], name=f"bookings{which}") for which in range(number)]


def test_thirty_feeds_fit_without_the_comments(tmp_path: Path) -> None:
    text = render(many(30))

    assert len(text.encode()) <= LARGEST_BODY
    assert "#" not in text
    assert lint(text, tmp_path) == (0, "")


def test_more_feeds_than_a_request_can_hold_are_refused_with_the_way_out() -> None:
    with pytest.raises(AirlineError, match="at most 51,200 bytes") as error:
        render(many(200))

    assert "AIRLINE_NAME" in error.value.remedy


def test_it_holds_no_account_number() -> None:
    assert re.search(r"\d{12}(?!\d)", render().replace("107374182400", "")) is None


# --- what follows from the feeds


TRAINS = Feed(
    name="train_rides",
    prefix="trains/",
    noun="rides",
    columns=(Column("ride_id", "bigint", "Names the ride.", required=True),),
    becomes=FactTable(table=Table("fact_rides", "One row per ride.", partition_column="ride_date")),
)


def test_a_new_feed_gets_a_crawler_a_job_and_no_end_of_its_files(tmp_path: Path) -> None:
    text = render([*FEEDS.values(), TRAINS])
    template = parsed(text)
    crawlers, _ = loop(template, "Crawlers")
    jobs, _ = loop(template, "Jobs")

    assert template["Mappings"]["Crawlers"]["TrainRides"] == {
        "Name": "train_rides",
        "Bucket": "landing",
        "Prefix": "trains/",
        "Level": "2",
        "TablePrefix": "landing_",
        "Exclusions": [
            "_*",
            "_temporary/**",
            "__magic*/**",
            "*.[cC][sS][vV]",
            "*.[cC][sS][vV].[gG][zZ]",
        ],
    }
    assert template["Mappings"]["Jobs"]["TrainRides"] == {
        "Name": "train_rides",
        "Script": "feed_job.py",
        "Feed": "train_rides",
    }
    assert "TrainRides" in crawlers
    assert "TrainRides" in jobs
    assert "trains/" not in [rule.get("Prefix") for rule in landing_rules(template)]
    assert lint(text, tmp_path) == (0, "")


def test_a_new_feed_that_expires_gets_a_rule_that_deletes_its_files(tmp_path: Path) -> None:
    text = render([*FEEDS.values(), replace(TRAINS, expires=True)])
    (rule,) = [each for each in landing_rules(parsed(text)) if each.get("Prefix") == "trains/"]

    assert rule["Id"] == "people-train_rides"
    assert rule["ExpirationInDays"] == {"Ref": "PeopleDays"}
    assert len({each["Id"] for each in landing_rules(parsed(text))}) == len(landing_rules(parsed(text)))
    assert lint(text, tmp_path) == (0, "")


def test_a_new_feed_of_the_lake_gets_two_crawlers_and_the_rights_to_its_folders(tmp_path: Path) -> None:
    by_day = Table("fact_rides", "One row per ride.", partition_column="ride_date", key=("ride_id",))
    typed = replace(TRAINS.table, name="rides_parquet")
    lake = LakeTable(typed=typed, table=by_day, totals="ride_totals", sums=())
    text = render([*FEEDS.values(), replace(TRAINS, format="json", becomes=lake)])
    rows = parsed(text)["Mappings"]["Crawlers"]
    jobs = parsed(text)["Mappings"]["Jobs"]

    assert {rows[key]["Bucket"]: rows[key]["Prefix"] for key in ("TrainRides", "FactRides")} == {
        "landing": "trains/rides_parquet/",
        "lake": "fact_rides/",
    }
    assert {key: jobs[key]["Script"] for key in ("TrainRidesToParquet", "FactRides")} == {
        "TrainRidesToParquet": "feed_job.py",
        "FactRides": "lake_table_job.py",
    }
    assert {jobs[key]["Feed"] for key in ("TrainRidesToParquet", "FactRides")} == {"train_rides"}
    assert '"${LandingBucket.Arn}/trains/rides_parquet/*"' in text
    assert '"${LakeBucket.Arn}/fact_rides/*"' in text
    assert lint(text, tmp_path) == (0, "")


def test_a_job_is_given_its_feeds_name() -> None:
    rows = parsed(render())["Mappings"]["Jobs"]
    _, job = loop(parsed(render()), "Jobs")

    assert job["DefaultArguments"]["--feed"] == {"Fn::FindInMap": ["Jobs", {"Ref": "Job"}, "Feed"]}
    assert {row["Name"]: row["Feed"] for row in rows.values()} == {
        job.name: feed.name for feed in FEEDS.values() for job in feed.jobs
    }


def test_without_feeds_of_the_lake_no_statement_is_without_resources() -> None:
    policies = [
        parsed(render([TRAINS]))["Resources"][role]["Properties"]["Policies"]
        for role in ("JobRole", "CrawlerRole")
    ]

    sids = {statement["Sid"] for each in policies for statement in statements_of(each)}
    assert not {"WriteTypedRows", "ReadLake"} & sids


@pytest.mark.parametrize("change", [("# feeds: jobs", "# feeds: trains"), ("# feeds: jobs", "")])
def test_a_mark_that_means_nothing_or_is_missing_is_an_error(change: tuple[str, str]) -> None:
    with pytest.raises(AirlineError, match="expected each of the marks"):
        render(text=TEMPLATE.read_text().replace(*change, 1))


def test_the_file_with_the_marks_is_yaml_and_names_no_feed() -> None:
    names = {name for feed in FEEDS.values() for name in (feed.name, feed.prefix.rstrip("/"), feed.noun)}
    sources = [*TEMPLATE.parent.iterdir(), *Path(template_module.__file__).parent.glob("*.py")]

    assert parsed(TEMPLATE.read_text())["Mappings"] == {"Crawlers": None, "Jobs": None}
    assert [
        (path.name, name) for path in sources for name in names if re.search(rf"(?i){name}", path.read_text())
    ] == []


def test_a_logical_id_has_letters_and_digits_alone() -> None:
    assert logical_id("shipments_to_parquet") == "ShipmentsToParquet"
    assert logical_id("--customer-key") == "CustomerKey"


def test_a_glob_of_a_suffix_takes_it_in_any_case() -> None:
    assert in_any_case(".json") == ".[jJ][sS][oO][nN]"


# --- names


@pytest.mark.parametrize(("property_path", "setting"), NAMES.items())
def test_its_names_are_those_of_the_settings(
    template: dict[str, Any], property_path: str, setting: str
) -> None:
    logical_id, name = property_path.split(".")
    declared = template["Resources"][logical_id]["Properties"][name]

    pattern = declared.get("Fn::Sub") or "${" + declared["Ref"] + "}"

    assert pattern.replace("${Name}", "acme-air") == getattr(Settings(name="acme-air"), setting)


def test_its_name_parameter_takes_what_the_settings_take(template: dict[str, Any]) -> None:
    (pattern,) = [m.pattern for m in Settings.model_fields["name"].metadata if hasattr(m, "pattern")]

    (longest,) = [m.max_length for m in Settings.model_fields["name"].metadata if hasattr(m, "max_length")]

    assert template["Parameters"]["Name"]["AllowedPattern"] == pattern
    assert template["Parameters"]["Name"]["MaxLength"] == longest
    assert template["Parameters"]["Name"]["Default"] == Settings.model_fields["name"].default


def test_what_lands_has_its_crawler_and_what_the_lake_keeps_for_athena_too(template: dict[str, Any]) -> None:
    settings = Settings(name="acme-air")
    rows = template["Mappings"]["Crawlers"]
    keys, crawler = loop(template, "Crawlers")
    (target,) = crawler["Targets"]["S3Targets"]
    declared = {}
    for key in keys:
        row = rows[key]
        name = crawler["Name"]["Fn::Sub"][0].replace("${Name}", settings.name)
        path = target["Path"]["Fn::Sub"][0].replace("${Name}", settings.name)
        path = path.replace("${Bucket}", row["Bucket"]).replace("${Prefix}", row["Prefix"])
        table = row["TablePrefix"] + row["Prefix"].rstrip("/").rpartition("/")[2]
        declared[name.replace("${CrawlerName}", row["Name"])] = (path, table)

    # A crawler finds the table it confirms by the name and the place it would give one itself.
    assert declared == {
        settings.crawler_name(table.crawler): (table.location, table.name)
        for table in catalog_tables(settings).values()
        if table.crawler
    }
    assert keys == list(rows)


def test_no_file_changes_a_table_and_partitions_read_like_it(template: dict[str, Any]) -> None:
    _, crawler = loop(template, "Crawlers")

    assert crawler["SchemaChangePolicy"] == {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
    assert inherits(configured(crawler))


def configured(crawler: dict[str, Any]) -> dict[str, Any]:
    """A crawler of the loop, with its configuration as it is for a table at the second level."""
    text, _ = crawler["Configuration"]["Fn::Sub"]
    return crawler | {"Configuration": text.replace("${Level}", "2")}


def test_dagster_may_read_what_the_platforms_crawlers_warn_of(template: dict[str, Any]) -> None:
    allowed = dagster_policy(template)["CrawlLogs"]
    place = allowed["Resource"]["Fn::Sub"].replace("${Name}", "acme-air")

    assert allowed["Action"] == ["logs:GetLogEvents"]
    group, stream = re.fullmatch(r".*:log-group:(.*):log-stream:(.*)", place).groups()
    assert group == LOG_GROUP
    assert fnmatch(Settings(name="acme-air").crawler_name("flights"), stream)


def test_crawlers_of_landed_days_pass_over_the_files_of_the_flat_layout(template: dict[str, Any]) -> None:
    rows = {row["Prefix"]: row for row in template["Mappings"]["Crawlers"].values()}
    for feed in FEEDS.values():
        globs = tuple(rows[feed.typed_prefix or feed.prefix]["Exclusions"])
        for suffix in (spell(suffix) for suffix in feed.suffixes for spell in (str, str.upper, str.title)):
            assert excluded(f"2013-01-01{suffix}", globs) == (feed.daily and not feed.typed)
            assert not excluded(f"date=2013-01-01/flights{suffix}", globs)


def test_the_warehouse_has_its_crawler_wherever_its_url_is_given(template: dict[str, Any]) -> None:
    parts, settings = template["Resources"], Settings(name="acme-air")
    connection, crawler = parts["WarehouseConnection"], parts["WarehouseCrawler"]
    (target,) = crawler["Properties"]["Targets"]["JdbcTargets"]
    name = crawler["Properties"]["Name"]["Fn::Sub"]

    assert [part["Condition"] for part in (connection, crawler)] == ["HasWarehouse"] * 2
    assert template["Conditions"]["HasWarehouse"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "WarehouseJdbcUrl"}, ""]}]
    }
    assert name.replace("${Name}", settings.name) == settings.crawler_name("warehouse")
    assert target["ConnectionName"] == {"Ref": "WarehouseConnection"}
    assert target["Path"]["Fn::Sub"] == f"${{WarehouseDatabase}}/{Table.SCHEMA}/%"


def test_the_warehouses_connection_takes_its_login_from_the_secret(template: dict[str, Any]) -> None:
    connection = template["Resources"]["WarehouseConnection"]["Properties"]["ConnectionInput"]
    properties = connection["ConnectionProperties"]

    assert (
        properties["SECRET_ID"]["Fn::Sub"].replace("${Name}", "acme")
        == Settings(name="acme").warehouse_secret
    )
    assert set(properties) == {"JDBC_CONNECTION_URL", "JDBC_ENFORCE_SSL", "SECRET_ID"}


def test_only_an_accounts_warehouse_needs_a_network_and_encryption(template: dict[str, Any]) -> None:
    connection = template["Resources"]["WarehouseConnection"]["Properties"]["ConnectionInput"]
    on_aws = {"Fn::Equals": [{"Ref": "Stage"}, "aws"]}
    (policy,) = template["Resources"]["CrawlerRole"]["Properties"]["Policies"]
    conditions = {
        statement["Fn::If"][1]["Sid"]: statement["Fn::If"][0]
        for statement in policy["PolicyDocument"]["Statement"]
        if "Fn::If" in statement
    }

    assert connection["ConnectionProperties"]["JDBC_ENFORCE_SSL"]["Fn::If"] == ["OnAws", "true", "false"]
    where, network, otherwise = connection["PhysicalConnectionRequirements"]["Fn::If"]
    assert (where, set(network), otherwise) == (
        "OnAws", {"SubnetId", "AvailabilityZone", "SecurityGroupIdList"}, {"Ref": "AWS::NoValue"},
    )  # fmt: skip
    assert on_aws in template["Rules"]["WarehouseNetwork"]["RuleCondition"]["Fn::And"]
    assert conditions == {
        "Key": "HasOwnKey",
        "WarehouseConnection": "HasWarehouse",
        "WarehouseSecret": "HasWarehouse",
        "WarehouseNetwork": "HasWarehouseNetwork",
        "WarehouseNetworkTags": "HasWarehouseNetwork",
    }
    assert {"Condition": "OnAws"} in template["Conditions"]["HasWarehouseNetwork"]["Fn::And"]


def test_every_job_of_the_template_has_its_script_and_every_script_its_job(template: dict[str, Any]) -> None:
    keys, job = loop(template, "Jobs")
    location = job["Command"]["ScriptLocation"]["Fn::Sub"][0]
    rows = template["Mappings"]["Jobs"]

    scripts = {location.replace("${Script}", rows[key]["Script"]) for key in keys}

    uploaded = {f"s3://${{LakeBucket}}/{key}" for key in glue_programs()}
    assert scripts | {job["DefaultArguments"]["--extra-py-files"]["Fn::Sub"]} == uploaded
    assert keys == list(rows)
    assert job["Name"]["Fn::Sub"][0].replace("${Name}", "acme-air") == Settings(name="acme-air").job_name(
        "${JobName}"
    )


def test_no_job_works_beside_itself_and_none_is_started_again_by_glue(template: dict[str, Any]) -> None:
    """Two runs of a feed may be under way; its Glue job is one, or both would write a day's folder."""
    _, job = loop(template, "Jobs")

    assert job["ExecutionProperty"] == {"MaxConcurrentRuns": 1}
    assert job["MaxRetries"] == 0


def landing_rules(template: dict[str, Any]) -> list[dict[str, Any]]:
    rules = template["Resources"]["LandingBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    return list(rules)


def test_files_that_name_people_expire_with_their_typed_rows_when_the_settings_say(
    template: dict[str, Any],
) -> None:
    expiring = [rule for rule in landing_rules(template) if "ExpirationInDays" in rule]
    expires = [feed for feed in FEEDS.values() if feed.expires]

    assert [rule["Prefix"] for rule in expiring] == [feed.prefix for feed in expires]
    assert all(feed.typed_prefix.startswith(feed.prefix) for feed in expires if feed.typed)
    for rule in expiring:
        assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", {"Ref": "PeopleDays"})
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    parameter, setting = template["Parameters"]["PeopleDays"], Settings.model_fields["people_days"]
    (least,) = [m.ge for m in setting.metadata if hasattr(m, "ge")]
    assert (parameter["Default"], parameter["MinValue"]) == (setting.default, least)


def test_unread_events_alarm_nobody_where_the_schedule_alone_starts_runs(template: dict[str, Any]) -> None:
    condition = template["Conditions"][template["Resources"]["UnreadEventsAlarm"]["Condition"]]

    assert condition["Fn::And"] == [
        {"Condition": "OnAws"},
        {"Fn::Not": [{"Fn::Equals": [{"Ref": "Trigger"}, "schedule"]}]},
    ]
    parameter, setting = template["Parameters"]["Trigger"], Settings.model_fields["trigger"]
    assert parameter["Default"] == setting.default
    assert parameter["AllowedValues"] == list(get_args(setting.annotation))


def test_jobs_write_nothing_into_the_landing_bucket_but_typed_rows(template: dict[str, Any]) -> None:
    on_landing = [
        (statement["Resource"], action)
        for statement in statements_of(template["Resources"]["JobRole"]["Properties"]["Policies"])
        for action in statement["Action"]
        if "LandingBucket" in str(statement["Resource"])
    ]
    reading = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetBucketLocation", "s3:ListBucket")
    writing = [where for where, action in on_landing if not action.startswith(reading)]

    typed = [
        {"Fn::Sub": f"${{LandingBucket.Arn}}/{feed.typed_prefix}*"} for feed in FEEDS.values() if feed.typed
    ]
    assert {action for where, action in on_landing if where == typed} == {
        "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
    }  # fmt: skip
    assert all(where == typed for where in writing)


def test_dagster_deletes_nothing_in_the_landing_bucket_but_typed_rows_that_were_replaced(
    template: dict[str, Any],
) -> None:
    deleting = {
        sid: statement["Resource"]
        for sid, statement in dagster_policy(template).items()
        if "LandingBucket" in str(statement["Resource"]) and any("Delete" in it for it in statement["Action"])
    }

    typed = [feed.typed_prefix for feed in FEEDS.values() if feed.typed]
    assert deleting == {
        "ReplacedTypedRows": [{"Fn::Sub": f"${{LandingBucket.Arn}}/{prefix}*"} for prefix in typed]
    }


def test_dagster_may_register_days_and_move_them(template: dict[str, Any]) -> None:
    calls = {"BatchGetPartition", "GetPartitions", "BatchCreatePartition", "BatchUpdatePartition"}

    assert {f"glue:{call}" for call in calls} <= set(dagster_policy(template)["Catalog"]["Action"])


def test_crawlers_look_into_no_folder_that_a_run_has_of_its_own(template: dict[str, Any]) -> None:
    rows = {row["Prefix"]: row for row in template["Mappings"]["Crawlers"].values()}
    for feed in (feed for feed in FEEDS.values() if feed.typed):
        for prefix in (feed.typed_prefix, f"{feed.table.name}/"):
            globs = tuple(rows[prefix]["Exclusions"])
            written = f"{run_folder('', 'run')}date=2013-01-01/part-0.parquet"
            assert excluded(written, globs)
            assert not excluded("date=2013-01-01/part-0.parquet", globs)


def test_crawlers_read_of_the_lake_just_what_they_crawl(template: dict[str, Any]) -> None:
    readable = [
        statement["Resource"]
        for statement in statements_of(template["Resources"]["CrawlerRole"]["Properties"]["Policies"])
        if "s3:GetObject" in statement["Action"] and "LakeBucket" in str(statement["Resource"])
    ]
    crawled = [row["Prefix"] for row in template["Mappings"]["Crawlers"].values() if row["Bucket"] == "lake"]

    assert readable == [[{"Fn::Sub": f"${{LakeBucket.Arn}}/{prefix}*"} for prefix in crawled]]


def statements_of(policies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Statements of a role's policies, conditional ones too, each with a list of actions."""
    statements = [s for policy in policies for s in policy["PolicyDocument"]["Statement"]]
    chosen = [s["Fn::If"][1] if "Fn::If" in s else s for s in statements]
    return [s | {"Action": [s["Action"]] if isinstance(s["Action"], str) else s["Action"]} for s in chosen]


def test_a_job_installs_nothing_when_it_starts(template: dict[str, Any]) -> None:
    _, job = loop(template, "Jobs")

    assert "--extra-py-files" in job["DefaultArguments"]
    assert "--additional-python-modules" not in job["DefaultArguments"]


def test_what_a_deployment_adopts_is_what_outlives_the_stack(template: dict[str, Any]) -> None:
    retained = {key: it["Type"] for key, it in template["Resources"].items() if "DeletionPolicy" in it}

    assert set(BUCKETS) == {key for key, kind in retained.items() if kind == "AWS::S3::Bucket"}
    assert set(retained) - set(BUCKETS) == {"Key"}


def dagster_policy(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What whoever runs Dagster in an account may do: statements by their Sid."""
    return {s["Sid"]: s for s in statements_of([template["Resources"]["DagsterPolicy"]["Properties"]])}


def test_a_run_may_be_named_by_its_role_and_then_do_what_dagster_may(template: dict[str, Any]) -> None:
    parts = template["Resources"]
    (trust,) = parts["RunRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    pattern = trust["Condition"]["StringLike"]["sts:RoleSessionName"]
    (taken,) = [s for s in dagster_policy(template).values() if s["Action"] == ["sts:AssumeRole"]]

    assert fnmatch(DagsterRun(job_name="flights_job").run_id, pattern)
    assert not fnmatch("me-at-my-desk", pattern)
    assert taken["Resource"] == {"Fn::GetAtt": "RunRole.Arn"}
    assert evaluate(template).of_type("AWS::IAM::ManagedPolicy")["DagsterPolicy"]["Roles"] == ["<RunRole>"]


def test_the_trail_sees_every_object_a_run_reads_or_writes_and_only_it_writes_the_log(
    template: dict[str, Any],
) -> None:
    trail = template["Resources"]["Trail"]
    fields = [
        {field["Field"]: field for field in each["FieldSelectors"]}
        for each in trail["Properties"]["AdvancedEventSelectors"]
    ]
    (objects,) = [f for f in fields if f.get("resources.type", {}).get("Equals") == ["AWS::S3::Object"]]
    statements = template["Resources"]["AuditBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = [s for s in statements if s["Effect"] == "Allow"]

    assert [f["eventCategory"]["Equals"] for f in fields].count(["Management"]) == 1
    assert objects["resources.ARN"]["StartsWith"] == [
        {"Fn::Sub": "${LandingBucket.Arn}/"}, {"Fn::Sub": "${LakeBucket.Arn}/"},
    ]  # fmt: skip
    assert trail["Condition"] == "OnAws"
    assert trail["Properties"]["EnableLogFileValidation"] is True
    assert {s["Principal"]["Service"] for s in allowed} == {"cloudtrail.amazonaws.com"}
    name = trail["Properties"]["TrailName"]["Fn::Sub"]
    for statement in allowed:
        source = statement["Condition"]["StringEquals"]["aws:SourceArn"]["Fn::Sub"]
        assert source.endswith(f":trail/{name}")


def test_the_dagster_policy_lets_the_audit_be_read_and_nobody_change_it(template: dict[str, Any]) -> None:
    of_the_audit = [s for s in dagster_policy(template).values() if "AuditBucket" in str(s["Resource"])]

    assert [set(s["Action"]) for s in of_the_audit] == [{"s3:GetObject", "s3:ListBucket"}]
