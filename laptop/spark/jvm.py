"""Starts Spark's JVM fast: without its shell scripts, and with its classes from an archive once there is one.

    python -m laptop.spark.jvm FOLDER

builds the archive (140 MB, about a minute on one core); the gateway does the same in the background when it
is idle. With it a worker has its session in 3 s and is warmed up 6 s later, without it in 15 s, on two cores.
"""

import argparse
import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import psutil

from laptop.files import write_whole
from laptop.spark.java import find_java

JVM_OPTIONS = (
    "-Xmx1g",
    "-XX:+UseSerialGC",
    "-Xss4m",
    "-XX:-UsePerfData",
    "-XX:-DontCompileHugeMethods",
    "-Dfile.encoding=UTF-8",
)
"""The serial collector: the others' threads would take the job's cores. And the few methods that have above
8,000 bytecodes are compiled, too: 92 days (1.8 M rows) take 22 s of CPU instead of 50."""

OPENED = (
    "java.base/java.lang", "java.base/java.lang.invoke", "java.base/java.lang.reflect", "java.base/java.io",
    "java.base/java.net", "java.base/java.nio", "java.base/java.util", "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic", "java.base/jdk.internal.ref", "java.base/sun.nio.ch",
    "java.base/sun.nio.cs", "java.base/sun.security.action", "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)  # fmt: skip
"""What Spark 3.5 opens on Java 17; source: its own launcher's JavaModuleOptions."""

OPTIONS_VARIABLE = "AIRLINE_JAVA_OPTIONS"
"""Options of the JVM besides; of two that contradict each other the later one holds, which is this one."""

SHARING_VARIABLE = "AIRLINE_JVM_SHARING"
"""One JVM option the launcher takes from its environment: which class archive to use, or to record."""


class SparkJvm:
    """A folder that stands in for SPARK_HOME: a launcher, and the class archive for this Java and Spark."""

    def __init__(self, folder: Path) -> None:
        """Find Java and write the launcher.

        Raises:
            StackUnavailable: There is no Java 17.
        """
        self.java = find_java()
        pyspark = distribution("pyspark")  # found without importing it
        self._jars = f"{pyspark.locate_file('pyspark/jars')}/*"
        opened = [f"--add-opens={name}=ALL-UNNAMED" for name in OPENED]
        self._command = [str(self.java), *JVM_OPTIONS, *opened]
        made_for = repr((self._command, self._jars, pyspark.version))
        self.home = folder / hashlib.sha256(made_for.encode()).hexdigest()[:16]
        self.archive = self.home / "spark.jsa"
        self._write_launcher()

    def environment(self) -> dict[str, str]:
        """What a process needs so that pyspark starts this JVM, and Python workers this Python."""
        sharing = f"-XX:SharedArchiveFile={self.archive}" if self.archive.exists() else "-Xshare:auto"
        return {
            "JAVA_HOME": str(self.java.parent.parent),
            "SPARK_HOME": str(self.home),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "LC_ALL": "C.UTF-8",
            SHARING_VARIABLE: sharing,
        }

    def build(self) -> None:
        """Record the classes a warm-up loads, then archive them; nothing half-made is left under the name."""
        scratch = self.home / f"scratch-{os.getpid()}"
        classes, part = scratch / "classes", scratch / "part.jsa"
        for abandoned in self.home.glob("scratch-*"):
            if not psutil.pid_exists(int(abandoned.name.removeprefix("scratch-"))):
                shutil.rmtree(abandoned, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            self._record(classes, scratch)
            dump = [f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={part}", "-Xshare:dump"]
            command = [*self._command, *dump, "-cp", self._jars]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            part.replace(self.archive)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _record(self, classes: Path, scratch: Path) -> None:
        """Start a session, warm it up and stop it, in a JVM that lists the classes it loads."""
        # pyspark is started from here only, so its environment is this process's.
        recording = {SHARING_VARIABLE: f"-XX:DumpLoadedClassList={classes}", "TMPDIR": str(scratch)}
        os.environ.update(self.environment() | recording)
        from laptop.spark.worker import start_session, warm_up  # noqa: PLC0415 - see above

        spark = start_session(session_options(scratch))
        warm_up(spark, scratch / "warm")
        gateway: Any = spark.sparkContext._gateway  # noqa: SLF001 - pyspark has no public way to end its JVM
        spark.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(60)

    def _write_launcher(self) -> None:
        """Stand in for `bin/spark-submit`, which starts a first JVM just to find the second one's options."""
        launcher = self.home / "bin" / "spark-submit"
        # A worker is ended with SIGKILL, so what its JVM unpacks must lie where the worker's folder goes.
        options = f'${OPTIONS_VARIABLE} "${SHARING_VARIABLE}" "-Djava.io.tmpdir=${{TMPDIR:-/tmp}}"'
        words = [shlex.join(self._command), options, "-cp", shlex.quote(self._jars)]
        text = f'#!/bin/sh\nexec {" ".join(words)} org.apache.spark.deploy.SparkSubmit "$@"\n'
        if not launcher.exists() or launcher.read_text() != text:
            write_whole(launcher, text, mode=0o700)


def session_options(scratch: Path) -> dict[str, str]:
    """Spark's options of a worker whose files go to `scratch`."""
    return {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        # A file is opened at no cost here: with 4 MB for each, tasks are cut so that a core is left idle.
        "spark.sql.files.openCostInBytes": "65536",
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "100000",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        "spark.local.dir": str(scratch / "local"),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    with contextlib.suppress(OSError):
        os.nice(19)
    if not (jvm := SparkJvm(folder)).archive.exists():
        jvm.build()


if __name__ == "__main__":
    main()
