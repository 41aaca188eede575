"""Tests of the task queues."""

import pytest

pytest.register_assert_rewrite("tests.queue.conformance")
