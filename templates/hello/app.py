"""Two workflows to begin with.

    sched dev app.py
    sched workflow start HelloWorld --input world --wait
    sched workflow start MonthlyReport --input 2026-11 --follow

While `sched dev app.py` runs, edit this file and save: the worker takes the new
code over as soon as it loads.
"""

import asyncio
from pathlib import Path

from sched_sdk import WorkflowContext, activity, workflow

OUTBOX = Path(__file__).with_name("outbox.txt")


@activity
async def greet(name: str) -> str:
    """Activities do the work that touches the world. They are retried."""
    return f"Hello, {name}!"


@activity
async def send_email(to: str, subject: str) -> str:
    """Put your mail service here; this one appends a line to outbox.txt."""
    await asyncio.sleep(0.2)
    with OUTBOX.open("a") as outbox:
        outbox.write(f"{to}: {subject}\n")
    return f"sent to {to}"


@workflow(name="HelloWorld")
async def hello_world(ctx: WorkflowContext, name: str) -> str:
    """Workflows say what is to be done. Each result is durable: after a crash
    the function is run again, and gets the results it had."""
    return await ctx.queue_activity(greet, name)


@workflow(name="MonthlyReport")
async def monthly_report(ctx: WorkflowContext, month: str) -> str:
    """Three emails, two seconds apart. Kill the worker or the dev server in
    between: it goes on where it was, and an email that was recorded as sent is not
    sent again."""
    for number in range(3):
        await ctx.queue_activity(send_email, f"user{number}@example.com", f"report {month}")
        await ctx.sleep(2)
    return "report complete"
