"""What the gateway refuses to serve, which calls it answers itself, and what it tells MiniStack."""

from laptop.gateway import client_factory, glue_action, job_environment, ministack_environment, refused


def test_requests_of_web_pages_and_to_dangerous_paths_are_refused():
    assert "https://x.example" in str(refused("/bucket", {b"origin": "https://x.example"}))
    assert refused("/_ministack/reset", {})
    assert refused("/_ministack/config/", {})
    assert refused("/bucket/_ministack/reset", {}) is None


def test_a_glue_call_is_known_by_its_target_header():
    assert glue_action({b"x-amz-target": "AWSGlue.StartCrawler"}) == "StartCrawler"
    assert glue_action({b"x-amz-target": "AmazonSQS.SendMessage"}) == ""
    assert glue_action({}) == ""


def test_ministack_listens_on_loopback_keeps_objects_and_never_sees_docker(tmp_path):
    environment = ministack_environment(4566, tmp_path, "us-east-1")
    assert environment["BIND_HOST"] == "127.0.0.1"
    assert (environment["S3_PERSIST"], environment["PERSIST_STATE"]) == ("1", "0")
    assert environment["DOCKER_HOST"] == f"unix://{tmp_path}/no-docker.sock"


def test_jobs_what_spark_does_for_them_and_the_gateway_itself_have_keys_of_their_own() -> None:
    """By them the trail says who has called; an account says it by the role."""
    client = client_factory(4566, "us-east-1")
    keys = [made._get_credentials().access_key for made in (client("s3"), client("s3", "airline-run/1"))]

    assert job_environment(4566, "us-east-1")["AWS_ACCESS_KEY_ID"] == "airline-job"
    assert keys == ["airline-gateway", "airline-job"]
