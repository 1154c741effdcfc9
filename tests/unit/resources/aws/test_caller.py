"""What a run calls carries its id: in the user agent everywhere, as the name of its role's session on AWS."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

import boto3
import pytest
from dagster import (
    DagsterInstance,
    HookContext,
    SensorEvaluationContext,
    SkipReason,
    asset,
    build_sensor_context,
    materialize,
    sensor,
    success_hook,
)

from airline_platform.definitions import resources
from airline_platform.settings import Settings, get_settings
from resources.aws import caller
from resources.aws.audited import AuditedResource
from resources.aws.client import _client, _session, make_client
from resources.lake import Lake

ROLE = f"arn:aws:iam::{'0' * 12}:role/airline-run"
RUN = "7d1c3a52-4d2f-4c39-9f5e-0d3a7c0f1b11"

ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>ASIAOFTHERUN</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>token-of-the-run</SessionToken><Expiration>{expires}</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""


class Recorder(BaseHTTPRequestHandler):
    """Answers STS, and everything else with nothing, and keeps what was asked."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[tuple[str, str, dict[str, str], str]]] = []
    expires: ClassVar[str] = "2100-01-01T00:00:00Z"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.asked.append((self.command, self.path, dict(self.headers.items()), body))
        content = ASSUMED.format(expires=self.expires).encode() if "AssumeRole" in body else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = answer  # noqa: N815 - http.server's names

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, no_stack: Settings) -> Iterator[type[Recorder]]:
    """An endpoint that keeps what it is asked; the process's settings point there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(Recorder, "asked", [])
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers the credentials it has found
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    get_settings.cache_clear()
    assert no_stack.stage == "local"
    try:
        yield Recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        _client.cache_clear()
        _session.cache_clear()


@pytest.fixture
def account(aws: type[Recorder], monkeypatch: pytest.MonkeyPatch) -> type[Recorder]:
    """The same endpoint as an account, with a role for runs."""
    for name, value in {
        "AIRLINE_STAGE": "aws",
        "AWS_REGION": "eu-central-1",
        "AIRLINE_RUN_ROLE_ARN": ROLE,
        "AWS_ACCESS_KEY_ID": "AKIAOFTHETASK",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    return aws


@pytest.fixture
def run() -> Iterator[str]:
    caller.begin(RUN)
    yield RUN
    caller.end(RUN)


def agents(aws: type[Recorder]) -> list[str]:
    return [headers["User-Agent"] for _, _, headers, _ in aws.asked]


def signed_by(headers: dict[str, str]) -> str:
    return headers["Authorization"].partition("Credential=")[2].partition("/")[0]


def test_outside_a_run_a_call_names_none(aws: type[Recorder]) -> None:
    make_client(get_settings(), "s3").head_bucket(Bucket="b")

    assert caller.MARK not in agents(aws)[0]


def test_in_a_run_every_call_of_every_thread_names_it_once(aws: type[Recorder], run: str) -> None:
    lake = Lake.of(get_settings()).with_bucket("b")

    lake.put_manifests("flights", {str(n): n for n in range(8)})
    make_client(get_settings(), "logs").describe_log_groups()

    assert len(agents(aws)) == 9
    assert all(agent.endswith(f" airline-run/{run}") and agent.count(run) == 1 for agent in agents(aws))


def test_a_client_made_before_the_run_names_it_too_and_no_longer_when_it_has_ended(
    aws: type[Recorder],
) -> None:
    s3 = make_client(get_settings(), "s3")

    for n in range(3):
        if n == 1:
            caller.begin(RUN)
        s3.head_bucket(Bucket="b")
        if n == 1:
            caller.end(RUN)

    assert [RUN in agent for agent in agents(aws)] == [False, True, False]


def test_a_name_fits_into_a_header_and_into_the_name_of_a_session() -> None:
    caller.begin("Läufe/2013 \r\n" * 20)
    try:
        name = caller.current_run()
    finally:
        caller.end("Läufe/2013 \r\n" * 20)

    assert name == ("L-ufe-2013---" * 20)[:64]
    assert caller.current_run() is None


@pytest.mark.filterwarnings("default")
def test_assets_and_hooks_of_a_run_call_in_its_name_and_a_sensor_in_nobodys(aws: type[Recorder]) -> None:
    @success_hook(required_resource_keys={"lake"})
    def told(context: HookContext) -> None:
        context.resources.lake.put_json("hook", {})

    @asset(hooks={told})
    def lands(lake: Lake) -> None:
        lake.put_json("asset", {})
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda n: make_client(get_settings(), "s3").head_bucket(Bucket=n), ["aaa", "bbb"]))

    @sensor(target=[lands])
    def looks(_context: SensorEvaluationContext, lake: Lake) -> SkipReason:
        lake.put_json("sensor", {})
        return SkipReason("nothing landed")

    lake = Lake.of(get_settings()).with_bucket("b")
    with DagsterInstance.ephemeral() as instance:
        done = materialize([lands], resources={"lake": lake}, instance=instance)
        with build_sensor_context(instance=instance, resources={"lake": lake}) as context:
            looks(context)

    found = {path: headers["User-Agent"] for _, path, headers, _ in aws.asked}
    assert done.success
    assert {path for path, agent in found.items() if agent.endswith(f"airline-run/{done.run_id}")} == {
        "/b/asset", "/b/hook", "/aaa", "/bbb",
    }  # fmt: skip
    assert caller.MARK not in found["/b/sensor"]
    assert caller.current_run() is None


@pytest.mark.filterwarnings("default")
def test_a_run_that_fails_leaves_its_name_to_nobody(aws: type[Recorder]) -> None:
    @asset
    def fails(lake: Lake) -> None:
        raise ValueError(lake.bucket)

    with DagsterInstance.ephemeral() as instance:
        materialize(
            [fails],
            resources={"lake": Lake.of(get_settings()).with_bucket("b")},
            instance=instance,
            raise_on_error=False,
        )

    assert (caller.current_run(), aws.asked) == (None, [])


def test_a_glue_job_is_told_in_whose_name_it_and_its_spark_call(run: str) -> None:
    arguments = caller.job_arguments()
    conf = arguments["conf"]

    assert arguments["caller"] == f"airline-run/{run}"
    assert conf == f"spark.hadoop.fs.s3a.user.agent.prefix=airline-run/{run}"
    assert caller.agent_of(conf) == caller.agent_of(f"a=1 --conf {conf} --conf b=2") == f"airline-run/{run}"


@pytest.mark.parametrize(
    "conf",
    ["", "spark.sql.x=1", f"{caller.SPARK_AGENT}=somebody", f"{caller.SPARK_AGENT}=airline-run/x\r\ny"],
)
def test_a_glue_job_of_no_run_calls_s3_in_no_runs_name(conf: str) -> None:
    assert caller.job_arguments() == {"caller": "nobody"}
    assert caller.agent_of(conf) == ""


def test_every_resource_of_the_platform_says_which_run_uses_it(no_stack: Settings) -> None:
    found = resources(no_stack)

    assert {"landing", "lake", "warehouse", "glue"} <= found.keys()
    assert [name for name, resource in found.items() if not isinstance(resource, AuditedResource)] == []


def test_in_an_account_a_run_takes_its_role_once_under_its_own_name(
    account: type[Recorder], run: str
) -> None:
    make_client(get_settings(), "s3").head_bucket(Bucket="b")
    make_client(get_settings(), "glue").start_crawler(Name="c")

    assumed, s3, glue = account.asked
    request = parse_qs(assumed[3])
    assert (request["Action"], request["RoleArn"], request["RoleSessionName"]) == (
        ["AssumeRole"], [ROLE], [run],
    )  # fmt: skip
    assert signed_by(assumed[2]) == "AKIAOFTHETASK"
    for _, _, headers, _ in (s3, glue):
        assert signed_by(headers) == "ASIAOFTHERUN"
        assert headers["X-Amz-Security-Token"] == "token-of-the-run"
    assert all(agent.endswith(f"airline-run/{run}") for agent in agents(account))


def test_credentials_that_run_out_are_asked_for_again(
    account: type[Recorder], run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run
    monkeypatch.setattr(Recorder, "expires", "2000-01-01T00:00:00Z")
    s3 = make_client(get_settings(), "s3")
    with pytest.raises(RuntimeError, match="expired"):
        s3.head_bucket(Bucket="b")
    monkeypatch.setattr(Recorder, "expires", "2100-01-01T00:00:00Z")

    s3.head_bucket(Bucket="b")

    assert [path for _, path, _, _ in account.asked] == ["/", "/", "/b"]


def test_outside_a_run_and_without_a_role_the_process_keeps_its_own_credentials(
    account: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_client(get_settings(), "s3").head_bucket(Bucket="b")
    monkeypatch.delenv("AIRLINE_RUN_ROLE_ARN")
    get_settings.cache_clear()
    caller.begin(RUN)
    try:
        make_client(get_settings(), "s3").head_bucket(Bucket="b")
    finally:
        caller.end(RUN)

    assert [(path, signed_by(headers)) for _, path, headers, _ in account.asked] == [
        ("/b", "AKIAOFTHETASK"), ("/b", "AKIAOFTHETASK"),
    ]  # fmt: skip


def test_on_a_laptop_a_role_is_never_taken(
    aws: type[Recorder], run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRLINE_RUN_ROLE_ARN", ROLE)
    get_settings.cache_clear()

    make_client(get_settings(), "s3").head_bucket(Bucket="b")

    assert [path for _, path, _, _ in aws.asked] == ["/b"]
    assert run in agents(aws)[0]
