"""Tests of the stores: one conformance suite, run by every adapter."""

import pytest

pytest.register_assert_rewrite("tests.store.conformance", "tests.store.suites")
