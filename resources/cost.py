"""What AWS bills for Glue: DPU-seconds of job runs and crawls, and what they cost by the price list.

Estimates, because regions differ and discounts are an account's own: https://aws.amazon.com/glue/pricing/,
us-east-1. On a laptop they are what the same work would have cost in an account.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import JobRunTypeDef

USD_PER_DPU_HOUR = 0.44
"""Of Spark jobs of the standard class, and of crawlers."""

LEAST_JOB_SECONDS = 60
LEAST_CRAWL_SECONDS = 10 * 60
"""Seconds that a job run, and a crawl, are billed at least."""

CRAWLER_DPUS = 2
"""DPUs of a crawler in the price list's example; GetCrawler does not say how many one has had."""

_SIZE = re.compile(r"[A-Z]\.(\d+)X")
"""How a worker's type says its DPUs: G.1X has one, G.2X two, and G.025X a quarter."""


def job_dpu_seconds(run: "JobRunTypeDef") -> float:
    """Return the DPU-seconds that a job run is billed.

    Glue says them where it scales the run by itself (`DPUSeconds`). Else they are its seconds times the DPUs
    that it held (`MaxCapacity`, or its workers').
    """
    if counted := run.get("DPUSeconds"):
        return float(counted)
    dpus = run.get("MaxCapacity") or run.get("NumberOfWorkers", 0) * worker_dpus(run.get("WorkerType", ""))
    return float(max(run.get("ExecutionTime", 0), LEAST_JOB_SECONDS) * dpus)


def worker_dpus(worker_type: str) -> float:
    """Return the DPUs of a worker; 1 for a type whose name does not say it."""
    size = _SIZE.fullmatch(worker_type)
    if not size:
        return 1
    return float(f"0.{size[1][1:]}") if size[1].startswith("0") else float(size[1])


def crawl_dpu_seconds(seconds: float) -> float:
    """Return the DPU-seconds that a crawl of so many seconds is billed."""
    return max(seconds, LEAST_CRAWL_SECONDS) * CRAWLER_DPUS


def cost_metadata(dpu_seconds: float, partitions: int) -> dict[str, float]:
    """Return metadata that says of each of several partitions what it has cost: all of them took the same.

    Args:
        dpu_seconds: Of all of them together.
        partitions: How many they are.
    """
    share = dpu_seconds / max(partitions, 1)
    return {"dpu_seconds": share, "estimated_cost_usd": share / 3600 * USD_PER_DPU_HOUR}
