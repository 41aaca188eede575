"""Two runs side by side: what each did, aligned, and where they differ.

    timeline     a history as the commands of its code, in code order, with outcomes
    alignment    which command of one belongs to which of the other
    comparison   the two together: rows, payloads that differ, where they part
    selection    the histories that two words on the command line mean

Who compares two runs asks what was done and what came back. So payloads, outcomes
and the order of commands count as differences; times, attempts and ids are shown,
since no two runs have the same.
"""
