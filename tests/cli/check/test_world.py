"""SCH1xx: clock, chance, environment, files, network, processes, threads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.check.judging import in_workflow, judge


@pytest.mark.parametrize(
    ("imports", "call", "rule"),
    [
        ("import time", "time.time()", "SCH101"),
        ("import time as t", "t.monotonic_ns()", "SCH101"),
        ("from time import perf_counter as now", "now()", "SCH101"),
        ("import time", "time.strftime('%H')", "SCH101"),
        ("import time", "time.localtime()", "SCH101"),
        ("import datetime", "datetime.datetime.now(datetime.UTC)", "SCH101"),
        ("from datetime import datetime", "datetime.utcnow()", "SCH101"),
        ("from datetime import datetime", "datetime.today()", "SCH101"),
        ("from datetime import date", "date.today()", "SCH101"),
        ("from django.utils import timezone", "timezone.now()", "SCH101"),
        ("import time", "time.sleep(1)", "SCH102"),
        ("from time import sleep", "sleep(1)", "SCH102"),
        ("import random", "random.choice(names)", "SCH103"),
        ("from random import shuffle", "shuffle(names)", "SCH103"),
        ("import random", "random.Random()", "SCH103"),
        ("import random", "random.SystemRandom().random()", "SCH103"),
        ("import numpy as np", "np.random.rand(3)", "SCH103"),
        ("import uuid", "uuid.uuid4()", "SCH104"),
        ("from uuid import uuid1", "uuid1()", "SCH104"),
        ("import secrets", "secrets.token_hex(8)", "SCH104"),
        ("import os", "os.urandom(8)", "SCH104"),
        ("import os", "os.environ['HOME']", "SCH105"),
        ("from os import environ", "environ.get('HOME')", "SCH105"),
        ("import os", "os.getenv('HOME')", "SCH105"),
        ("import sys", "sys.argv[1]", "SCH105"),
        ("import platform", "platform.node()", "SCH105"),
        ("", "open('names.txt')", "SCH106"),
        ("", "input()", "SCH106"),
        ("from pathlib import Path", "Path('names.txt').read_text()", "SCH106"),
        ("from pathlib import Path\nHERE = Path('x')", "(HERE / 'a').exists()", "SCH106"),
        ("import os.path", "os.path.exists('names.txt')", "SCH106"),
        ("import shutil", "shutil.rmtree('names')", "SCH106"),
        ("import sqlite3", "sqlite3.connect('names.db')", "SCH106"),
        ("import requests", "requests.get('https://example.com')", "SCH107"),
        ("import httpx", "httpx.AsyncClient()", "SCH107"),
        ("import requests\nSESSION = requests.Session()", "SESSION.get('x')", "SCH107"),
        ("import redis", "redis.Redis().get('x')", "SCH107"),
        ("import aiohttp", "aiohttp.ClientSession()", "SCH107"),
        ("import boto3", "boto3.client('s3')", "SCH107"),
        ("import psycopg", "psycopg.connect('x')", "SCH106"),
        ("from urllib.request import urlopen", "urlopen('https://example.com')", "SCH107"),
        ("import socket", "socket.create_connection(('example.com', 80))", "SCH107"),
        ("import asyncio", "await asyncio.open_connection('example.com', 80)", "SCH107"),
        ("from sched_sdk import Client", "await Client.connect()", "SCH107"),
        ("import subprocess", "subprocess.run(['ls'])", "SCH108"),
        ("import os", "os.system('ls')", "SCH108"),
        ("import asyncio", "await asyncio.create_subprocess_exec('ls')", "SCH108"),
        ("import multiprocessing as mp", "mp.Process(target=print)", "SCH108"),
        ("import threading", "threading.Thread(target=print).start()", "SCH109"),
        ("import threading", "threading.Lock()", "SCH109"),
        ("import asyncio", "await asyncio.to_thread(print)", "SCH109"),
        (
            "import asyncio",
            "await asyncio.get_running_loop().run_in_executor(None, print)",
            "SCH109",
        ),
        (
            "from concurrent.futures import ThreadPoolExecutor",
            "ThreadPoolExecutor()",
            "SCH109",
        ),
        ("import queue", "queue.Queue()", "SCH109"),
    ],
)
def test_what_touches_the_world_is_found(
    tmp_path: Path, imports: str, call: str, rule: str
) -> None:
    judge(tmp_path, app=in_workflow(f"{call}  #! {rule}", head=imports))


HARMLESS = """
    ctx.now(); ctx.random.choice(names); ctx.uuid4()
    await ctx.sleep(1)
    time.strftime("%H", ctx.now().timetuple())
    time.gmtime(0)
    datetime(2026, 1, 1).isoformat()
    datetime.fromisoformat("2026-01-01")
    random.Random(7).choice(names)
    uuid.uuid5(uuid.NAMESPACE_URL, "x")
    os.path.join("a", "b")
    Path("a").with_suffix(".txt").name
    Path("a") / "b"
    try:
        await ctx.sleep(1)
    except (requests.HTTPError, subprocess.CalledProcessError, socket.timeout):
        pass
    httpx.Timeout(3)
    boto3.dynamodb.conditions.Key("x").eq(1)
    secrets.compare_digest("a", "b")
    asyncio.Queue(); asyncio.Lock(); asyncio.get_running_loop().time()
    print(names)
"""


def test_what_is_the_same_in_replay_is_left_alone(tmp_path: Path) -> None:
    head = """
        import asyncio, boto3, httpx, secrets, os, random, requests, socket, subprocess, time, uuid
        from datetime import datetime
        from pathlib import Path
    """
    judge(tmp_path, app=in_workflow(HARMLESS, head))


def test_only_workflow_code_is_judged(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        import time
        STARTED = time.time()

        @activity
        def measure() -> float:
            return time.time()

        def look() -> float:
            return time.time()

        def nobody_calls_this() -> float:
            return time.time()

        @workflow
        async def flow(ctx: WorkflowContext) -> None:
            def inside() -> float:
                return time.time()

            def never() -> float:
                return time.time()

            await ctx.queue_activity(measure)
            await ctx.step(look)
            await ctx.step(inside)
            await ctx.step(lambda: time.time())
            await ctx.step(time.time)
        """,
    )


def test_an_own_thing_of_the_same_name_is_no_clock(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        import time

        class Clock:
            def time(self) -> int:
                return 1

        def random() -> int:
            return 4

        @workflow
        async def flow(ctx: WorkflowContext, clock: Clock | None = None) -> None:  #! SCH501
            time = Clock()
            time.time()
            random()
            open = len
            open("x")
        """,
    )


def test_an_own_module_named_like_a_library_is_followed(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app=in_workflow("requests.get('x')", head="import requests"),
        requests="""
        import time

        def get(name: str) -> float:
            return time.time()  #! SCH101
        """,
    )


def test_a_name_with_two_meanings_has_none(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        import time

        @workflow
        async def flow(ctx: WorkflowContext, fast: bool) -> None:
            now = time.time
            if fast:
                now = ctx.now
            now()
        """,
    )


def test_an_import_with_a_fallback_is_still_that_import(tmp_path: Path) -> None:
    head = """
        try:
            import requests
        except ImportError:
            requests = None
    """
    judge(tmp_path, app=in_workflow("requests.get('x')  #! SCH107", head))
