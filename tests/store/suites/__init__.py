"""The parts of the conformance suite, one file for each part of the port."""
