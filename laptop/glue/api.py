"""Answers the Glue calls that MiniStack only pretends to run, on top of the answer MiniStack gave.

MiniStack sees every call first: it knows the definitions, and refuses what doesn't exist. Each method here
takes the request and that answer, and returns the answer the caller gets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from laptop.glue.crawler import CrawlerEngine
from laptop.glue.engine import GlueEngine
from laptop.glue.errors import glue_error

Document = dict[str, Any]


@dataclass(frozen=True)
class GlueApi:
    """The actions this gateway answers itself; `client` makes a boto3 client of it for a service's name."""

    engine: GlueEngine
    crawlers: CrawlerEngine
    client: Callable[[str], Any]

    @cached_property
    def methods(self) -> dict[str, Callable[[Document, Document], Document]]:
        """What answers an action, by its name."""
        return {
            "StartJobRun": self._start_job_run,
            "GetJobRun": self._get_job_run,
            "GetJobRuns": self._get_job_runs,
            "BatchStopJobRun": self._batch_stop_job_run,
            "StartCrawler": self._start_crawler,
            "GetCrawler": self._get_crawler,
            "GetPartitions": self._get_partitions,
        }

    def answer(self, action: str, request: Document, ministack: Document) -> Document:
        """The answer to a call; `ministack` is what MiniStack answered, an error document included.

        Raises:
            ClientError: Glue would refuse the call.
        """
        return self.methods[action](request, ministack)

    def _start_job_run(self, request: Document, ministack: Document) -> Document:
        _raise_not_found("StartJobRun", ministack)
        job = self.client("glue").get_job(JobName=request["JobName"])["Job"]
        return {"JobRunId": self.engine.start(job, request)}

    def _get_job_run(self, request: Document, ministack: Document) -> Document:
        run = self.engine.find(request.get("JobName", ""), request.get("RunId", ""))
        return {"JobRun": run.describe()} if run else ministack

    def _get_job_runs(self, request: Document, ministack: Document) -> Document:
        """All runs there are, in one page whatever its size was to be: no more than `RUNS_KEPT`."""
        runs = self.engine.runs(request.get("JobName", ""))
        return {"JobRuns": [run.describe() for run in runs]} if runs else ministack

    def _batch_stop_job_run(self, request: Document, _ministack: Document) -> Document:
        name = request.get("JobName", "")
        answer: Document = {"SuccessfulSubmissions": [], "Errors": []}
        for run_id in request.get("JobRunIds", []):
            row = {"JobName": name, "JobRunId": run_id}
            run = self.engine.find(name, run_id)
            if run and not run.final:
                self.engine.stop(run)
                answer["SuccessfulSubmissions"].append(row)
            else:
                code = "IllegalStateException" if run else "EntityNotFoundException"
                message = f"Run {run_id} is {run.state}" if run else f"Run {run_id} not found"
                answer["Errors"].append(row | {"ErrorDetail": {"ErrorCode": code, "ErrorMessage": message}})
        return answer

    def _start_crawler(self, request: Document, ministack: Document) -> Document:
        _raise_not_found("StartCrawler", ministack)
        self.crawlers.start(self.client("glue").get_crawler(Name=request["Name"])["Crawler"])
        return {}

    def _get_crawler(self, _request: Document, ministack: Document) -> Document:
        if "Crawler" not in ministack:
            return ministack
        return {"Crawler": self.crawlers.describe(ministack["Crawler"])}

    def _get_partitions(self, request: Document, ministack: Document) -> Document:
        """MiniStack overlooks an Expression: refused, because its answer would be every partition."""
        if request.get("Expression"):
            message = (
                "On a laptop GetPartitions takes no Expression: read all partitions and choose among them"
            )
            raise glue_error("GetPartitions", "InvalidInputException", message)
        return ministack


def _raise_not_found(action: str, ministack: Document) -> None:
    """Pass on that a job or crawler doesn't exist; other refusals are about MiniStack's own pretending."""
    if ministack.get("__type", "").endswith("EntityNotFoundException"):
        raise glue_error(action, "EntityNotFoundException", ministack.get("message", ""))
